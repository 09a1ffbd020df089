package devstack

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

func setParentDeathSignal(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }

// ephemeralParent is memory where there is plenty: on a disk, making and dropping a database per test costs
// more than the tests.
func ephemeralParent() string {
	const memory, enough = "/dev/shm", 4 << 20 // kB
	var room syscall.Statfs_t
	if syscall.Statfs(memory, &room) != nil || room.Bavail*uint64(room.Bsize)/1024 < enough || availableMemory() < enough {
		return os.TempDir()
	}
	return memory
}

// availableMemory is what programs can get without swapping, in kB; 0 when unknown.
func availableMemory() (kB uint64) {
	data, _ := os.ReadFile("/proc/meminfo")
	if _, rest, found := strings.Cut(string(data), "MemAvailable:"); found {
		_, _ = fmt.Sscan(rest, &kB)
	}
	return kB
}
