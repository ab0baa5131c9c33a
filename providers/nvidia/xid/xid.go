// Package xid knows the error codes that NVIDIA's driver writes to the kernel log: Xid for GPUs, SXid for NVSwitches.
//
// For each code it gives the meaning, the action that NVIDIA names, and what a person does. It decides nothing about
// a node: a Xid 154 of the same GPU names the action itself, and outranks this table.
package xid

import (
	"fmt"
	"slices"
)

// Kind tells whose code it is.
type Kind string

// The kinds, as the kernel log spells them.
const (
	GPU    Kind = "Xid"
	Switch Kind = "SXid"
)

// Class says how far a fault reaches, from what a person does about it.
type Class string

// The classes, from the mildest.
const (
	Watch   Class = "watch"   // nothing is due
	Follow  Class = "follow"  // another line says what is due
	App     Class = "app"     // the program that used the GPU is at fault, or starts again
	Reset   Class = "reset"   // the GPU needs a reset
	Reboot  Class = "reboot"  // the machine needs a reboot
	Hands   Class = "hands"   // somebody looks at the hardware, or asks NVIDIA
	Unclear Class = "unclear" // NVIDIA names no action: unclassified, never harmless
)

// Entry is what is known of a code.
type Entry struct {
	Kind    Kind   `json:"kind"`
	Code    int    `json:"code"`
	Known   bool   `json:"known"`
	Meaning string `json:"meaning"`
	// Immediate and Investigate are the names of NVIDIA's actions. They are empty where NVIDIA names none.
	Immediate   string `json:"nvidia_immediate,omitempty"`
	Investigate string `json:"nvidia_investigate,omitempty"`
	Class       Class  `json:"class"`
	// Remedy is what a person does, as Markdown. NODE, INDEX and POD stand for the names of the case.
	Remedy string `json:"remedy"`
	// Others says where other tools disagree with NVIDIA, one tool a sentence.
	Others []string `json:"other_tools,omitempty"`
	// Source names what the entry comes from.
	Source string `json:"source"`
}

// Where the entries come from.
const (
	fromCatalog = "NVIDIA's Xid catalog of 2025-10-29"
	fromHeader  = "nverror.h of NVIDIA's open kernel modules 595.45.04; the Xid catalog of 2025-10-29 has no action for it"
	fromSwitch  = "ctrl_dev_nvswitch.h of NVIDIA's open kernel modules; NVIDIA publishes no action for the code alone"
	fromNowhere = "neither NVIDIA's Xid catalog of 2025-10-29 nor nverror.h of the open kernel modules 595.45.04 has it"
	switchless  = "no list that upkeep has names it"
)

// firstOfHeader is the first code whose name is that of the driver's source.
const firstOfHeader = 167

// Lookup returns what is known of a Xid. A code that nobody describes has Known false, and its Remedy says what to do.
func Lookup(code int) Entry {
	e := Entry{Kind: GPU, Code: code, Class: Unclear, Source: fromNowhere}
	i, known := slices.BinarySearchFunc(catalog, code, func(r row, code int) int { return r.code - code })
	if !known {
		e.Meaning = fmt.Sprintf("Xid %d is unknown. That does not make it harmless.", code)
		e.Remedy = remedies[""].text
		return e
	}
	r := catalog[i]
	e.Known, e.Meaning, e.Immediate, e.Investigate, e.Source = true, r.meaning+".", r.immediate, r.investigate, fromCatalog
	if code >= firstOfHeader {
		e.Source = fromHeader
	}
	do, ok := special[code]
	if !ok {
		do = remedies[r.immediate]
	}
	e.Class, e.Remedy, e.Others = do.class, do.text, slices.Clone(others[code])
	return e
}

// LookupSwitch returns what is known of a SXid. What is due depends on the severity in the line, more than on the code.
func LookupSwitch(code int) Entry {
	e := Entry{Kind: Switch, Code: code, Class: Unclear, Source: switchless, Remedy: bySeverity}
	e.Meaning = fmt.Sprintf("SXid %d is unknown. That does not make it harmless.", code)
	if meaning, known := switches[code]; known {
		e.Known, e.Meaning, e.Source = true, meaning, fromSwitch
	}
	if halted := code == 26006; halted {
		e.Class, e.Remedy = Reset, remedies["RESET_GPU"].text
		e.Others = []string{"Most other tools drop this line, as it has no severity: a dead switch controller goes unseen."}
	}
	return e
}

// Codes lists the Xids that are known, ascending.
func Codes() (codes []int) {
	for _, r := range catalog {
		codes = append(codes, r.code)
	}
	return codes
}

// switches are the SXids that the driver writes without a severity. Names are those of ctrl_dev_nvswitch.h.
var switches = map[int]string{
	12033: "NVSwitch: a port waited too long for credits on its way out (NPORT_EGRESS_CREDIT_TIME_OUT_ERR).",
	26006: "NVSwitch: its controller has halted (SOE_HALT).",
	26007: "NVSwitch: its controller met an external error (SOE_EXTERR).",
	26008: "NVSwitch: the watchdog of its controller fired (SOE_WATCHDOG).",
}
