//go:build unix && !linux

package devstack

import "syscall"

// Only Linux tells a child that its parent died. Elsewhere a server left behind
// is found and ended at the next start.
func setParentDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}
