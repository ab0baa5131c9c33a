//go:build !linux

package local

// processIdentity is unknown without Linux's /proc.
func processIdentity(int) string { return "" }

// isDead is never certain without an identity; the lock's expiry decides.
func isDead(int, string) bool { return false }
