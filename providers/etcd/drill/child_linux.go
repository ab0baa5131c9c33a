package drill

import (
	"os/exec"
	"syscall"
)

// bindToParent ends the child when this process dies, however it dies. SIGTERM, so that the child can remove what it
// wrote.
func bindToParent(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
}
