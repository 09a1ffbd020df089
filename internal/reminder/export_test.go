package reminder

// Forget lets mail to every domain at once, as after a restart.
func (g *Gate) Forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.domains)
}
