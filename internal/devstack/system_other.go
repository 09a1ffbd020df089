//go:build unix && !linux

package devstack

import (
	"os"
	"syscall"
)

// Only Linux tells a child that its parent died. Elsewhere a server left behind
// in a folder that is kept is found and ended at the next start.
func setParentDeathSignal(*syscall.SysProcAttr, syscall.Signal) {}

func ephemeralParent() string { return os.TempDir() }
