package xid

// remedy is what a person does about a code.
type remedy struct {
	class Class
	text  string
}

// The parts of which remedies are made.
const (
	obey = "If a Xid 154 of the same GPU follows, do what its last line names: it outranks this page."

	emptied = "1. Drain the node: `kubectl drain NODE --ignore-daemonsets --delete-emptydir-data`\n"
	back    = "Allow pods again: `kubectl uncordon NODE`\n"

	reset = emptied +
		"2. Stop what still holds the GPU. `nvidia-smi --query-compute-apps=pid,name --format=csv` lists it.\n" +
		"3. Reset the GPU: `nvidia-smi --gpu-reset -i INDEX`. With NVSwitch, reset all GPUs at once: `nvidia-smi " +
		"--gpu-reset`\n" +
		"4. Look at it: `nvidia-smi -q -i INDEX`\n" +
		"5. " + back + "\nA reset takes seconds. Reboot only where it fails. " + obey

	reboot = emptied +
		"2. Reboot the machine: `systemctl reboot`\n" +
		"3. Count its GPUs: `nvidia-smi -L`\n" +
		"4. " + back + "\nIf it comes back, power the machine off and on, and then have the hardware examined. " + obey

	restart = "Restart the program that used the GPU. On Kubernetes, delete its pod: `kubectl delete pod POD`\n\n" +
		"The GPU needs neither a reset nor a reboot. If it comes back with other programs, suspect the GPU. " + obey

	bySeverity = "Read the severity in the line. After `Fatal`, drain the node and reset all GPUs and switches at " +
		"once:\n\n" +
		"1. `kubectl drain NODE --ignore-daemonsets --delete-emptydir-data`\n" +
		"2. `nvidia-smi --gpu-reset`\n" +
		"3. `systemctl status nvidia-fabricmanager`\n" +
		"4. `kubectl uncordon NODE`\n\n" +
		"After `Non-fatal`, nothing is due at once: watch the link. A line without severity is unclassified: " +
		"start no new work on the node, and ask NVIDIA with the output of `nvidia-bug-report.sh`."
)

// remedies says what a person does about each of NVIDIA's immediate actions.
var remedies = map[string]remedy{
	"IGNORE": {Watch, "Nothing is due at once. If it comes back, ask NVIDIA with the output of " +
		"`nvidia-bug-report.sh`. " + obey},
	"RESTART_APP": {App, restart},
	"RESET_GPU":   {Reset, reset},
	"RESTART_BM":  {Reboot, reboot},
	"RESTART_VM":  {Reboot, "Restart the virtual machine that uses the GPU. " + obey},
	"CHECK_MECHANICALS": {Hands, "Cordon the node: `kubectl cordon NODE`. Have somebody check the power cables and " +
		"the seat of the board. " +
		"Neither a reset nor a reboot repairs a cable."},
	"CONTACT_SUPPORT": {Hands, "Ask NVIDIA with the output of `nvidia-bug-report.sh`. " + obey},
	"UPDATE_SWFW":     {Hands, "Update the driver or the firmware: this pair does not work together. " + obey},
	"CHECK_UVM": {Follow, "Look for other Xids of the same GPU, and do what they ask for. Alone, restart the " +
		"program. " + obey},
	"WORKFLOW_XID_45": {Follow, "It follows another fault: look for other Xids of the same GPU, and do what they " +
		"ask for.\n\n" +
		"Alone on a machine with NVSwitch, restart the fabric manager: `systemctl restart " +
		"nvidia-fabricmanager`\n\n" + obey},
	"WORKFLOW_XID_48": {Reset, "Look for 63, 64, 94, 95, 171 or 172 of the same GPU: they say what was hit. " +
		"Then:\n\n" + reset},
	"WORKFLOW_NVLINK_ERR": {Reset, "Look at the links: `nvidia-smi nvlink -e -i INDEX`. Errors that come back on " +
		"one link are hardware. Then:\n\n" +
		reset},
	"WORKFLOW_NVLINK5_ERR": {Unclear, "The line has numbers behind the name that NVIDIA's NVLink rules decode. " +
		"Without them, what is due is open. " +
		"Start no new work on the GPU. " + obey},
	"XID_154": {Follow, "The line itself names the action, behind `to`:\n\n" +
		"- None: nothing is due any longer.\n" +
		"- GPU Reset Required: drain the node, then `nvidia-smi --gpu-reset -i INDEX`\n" +
		"- Node Reboot Required: drain the node, then `systemctl reboot`\n" +
		"- Drain P2P: end the work that uses links between GPUs.\n" +
		"- Drain and Reset: let running work end, then reset the GPU.\n\n" +
		"The last 154 of a GPU holds. It outranks what other Xids ask for."},
	"": {Unclear, "NVIDIA names no action for it. Look for a Xid 154 of the same GPU, which names one: `journalctl " +
		"-k -b -g Xid`\n\n" +
		"Without one, start no new work on the GPU, and ask NVIDIA with the output of `nvidia-bug-report.sh`."},
}

// special are codes for which the action's own text is not enough.
var special = map[int]remedy{
	63: {Reset, "A row of memory was replaced by a spare one. Work may go on. The replacement begins at the next " +
		"reset, so plan one:\n\n" + reset},
	64: {Hands, "No spare row of memory could be used. Reset the GPU once. If it comes back, the GPU is due for " +
		"replacement.\n\n" + reset},
	94: {App, "The fault hit one program only. " + restart + "\n\nReset the GPU at the next opportunity, so that " +
		"the row is replaced."},
	119: {Reset, reset + "\n\nIf it comes back, power the machine off and on. The GPU's own processor (GSP) then " +
		"starts fresh."},
	120: {Reset, reset + "\n\nIf it comes back, power the machine off and on. The GPU's own processor (GSP) then " +
		"starts fresh."},
}

// What other tools say, read in their source or run in November 2026.
const (
	pluginIgnores = "NVIDIA's device plugin ignores it."
	dcgmDevastate = "DCGM calls it devastating."
	gpudReboots   = "gpud asks for a reboot and a look at the hardware."
	gpudInforms   = "gpud only reports it."
	gpudWarns     = "gpud warns, and asks for a reboot."
)

// others says where other tools ask for something else than NVIDIA.
var others = map[int][]string{
	13: {pluginIgnores},
	31: {pluginIgnores, "gpud asks to check the program, and the hardware."},
	43: {pluginIgnores, "gpud asks to check the program."},
	45: {pluginIgnores, "gpud ignores it."},
	46: {"gpud asks for a reboot."},
	48: {gpudReboots, dcgmDevastate},
	54: {"gpud only warns."},
	62: {gpudReboots},
	63: {"gpud calls it fatal, and asks for a reboot and a look at the hardware. NVIDIA asks for nothing at once."},
	64: {gpudReboots},
	68: {pluginIgnores},
	74: {gpudReboots, dcgmDevastate},
	79: {gpudReboots, dcgmDevastate},
	92: {"gpud ignores it."},
	94: {"gpud calls it fatal, and asks for a reboot.", "DCGM warns.", "The device plugin calls the GPU unhealthy " +
		"until it restarts."},
	95:  {gpudReboots, dcgmDevastate},
	109: {"gpud warns, and asks for nothing. NVIDIA asks for a reset.", pluginIgnores},
	110: {gpudReboots},
	119: {gpudReboots, dcgmDevastate},
	120: {gpudReboots, dcgmDevastate},
	136: {"gpud asks for nothing. NVIDIA asks for a reset."},
	140: {gpudReboots, dcgmDevastate},
	143: {"gpud asks for a look at the hardware only."},
	155: {gpudWarns},
	156: {gpudWarns},
	157: {gpudInforms},
	158: {gpudWarns},
	167: {gpudWarns},
	168: {gpudInforms},
	169: {gpudWarns},
	170: {"gpud asks to check the program."},
	171: {gpudInforms},
	172: {gpudWarns},
	173: {gpudWarns},
}
