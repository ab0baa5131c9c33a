package kernellog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"upkeep/providers/plain"
)

// said is the part of an event that the message gives.
type said struct {
	Kind           Kind
	Topic          Topic
	Code           int
	Unclassified   bool
	PCI, MIG       string
	Severity       string
	Cause          int
	Client, Module string
	Text           string
}

func saidOf(events []Event) (out []said) {
	for _, e := range events {
		out = append(out, said{e.Kind, e.Topic, e.Code, e.Unclassified, e.PCI, e.MIG, e.Severity, e.Cause, e.Client, e.Module, e.Text})
	}
	return out
}

// TestEveryForm reads each form of line that the driver writes, in a dmesg of its own.
func TestEveryForm(t *testing.T) {
	const gpu, sw = "0000:03:00", "0000:c1:00"
	for name, c := range map[string]struct {
		lines string
		want  []said
	}{
		"current": {"NVRM: Xid (PCI:0000:03:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
			[]said{{Kind: Xid, Code: 79, PCI: gpu, Text: "NVRM: Xid (PCI:0000:03:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."}}},
		"old": {"NVRM: Xid (0000:03:00): 14, Channel 00000001",
			[]said{{Kind: Xid, Code: 14, PCI: gpu, Text: "NVRM: Xid (0000:03:00): 14, Channel 00000001"}}},
		"no comma":          {"NVRM: Xid (PCI:0000:03:00): 46", []said{{Kind: Xid, Code: 46, PCI: gpu, Text: "NVRM: Xid (PCI:0000:03:00): 46"}}},
		"with the function": {"NVRM: Xid (PCI:0000:03:00.0): 46, x", []said{{Kind: Xid, Code: 46, PCI: gpu, Text: "NVRM: Xid (PCI:0000:03:00.0): 46, x"}}},
		"large letters":     {"NVRM: Xid (PCI:0000:C1:00): 46, x", []said{{Kind: Xid, Code: 46, PCI: sw, Text: "NVRM: Xid (PCI:0000:C1:00): 46, x"}}},
		"GPU instance": {"NVRM: Xid (PCI:0000:03:00 GPU-I:05): 94, x",
			[]said{{Kind: Xid, Code: 94, PCI: gpu, MIG: "GPU-I:05", Text: "NVRM: Xid (PCI:0000:03:00 GPU-I:05): 94, x"}}},
		"compute instance": {"NVRM: Xid (PCI:0000:03:00 GPU-I:05 GPU-CI:00): 13, x",
			[]said{{Kind: Xid, Code: 13, PCI: gpu, MIG: "GPU-I:05 GPU-CI:00", Text: "NVRM: Xid (PCI:0000:03:00 GPU-I:05 GPU-CI:00): 13, x"}}},
		"caused by another": {"NVRM: Xid (PCI:0000:03:00): 45, pid=1, Ch 8 caused by previous Xid 48",
			[]said{{Kind: Xid, Code: 45, PCI: gpu, Cause: 48, Text: "NVRM: Xid (PCI:0000:03:00): 45, pid=1, Ch 8 caused by previous Xid 48"}}},
		"code that is none": {"NVRM: Xid (PCI:0000:03:00): x9, y", []said{{Kind: Xid, Unclassified: true, Text: "NVRM: Xid (PCI:0000:03:00): x9, y"}}},
		"cut off":           {"NVRM: Xid (PCI:00", []said{{Kind: Xid, Unclassified: true, Text: "NVRM: Xid (PCI:00"}}},
		"another's words":   {"tool: saw NVRM: Xid (PCI:0000:03:00): 79, x", []said{{Kind: Xid, Unclassified: true, Text: "tool: saw NVRM: Xid (PCI:0000:03:00): 79, x"}}},
		"two in one line": {"NVRM: Xid (PCI:0000:03:00): 79, xNVRM: Xid (PCI:0000:03:00): 46, y",
			[]said{{Kind: Xid, Code: 79, PCI: gpu, Text: "NVRM: Xid (PCI:0000:03:00): 79, x"}, {Kind: Xid, Code: 46, PCI: gpu, Text: "NVRM: Xid (PCI:0000:03:00): 46, y"}}},
		"switch, with its data": {"nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Non-fatal, Link 46 MC TS crumbstore MCTO (First)\n" +
			"nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Severity 0 Engine instance 46\n" +
			"nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Data {0x00140004}",
			[]said{{Kind: SXid, Code: 28006, PCI: sw, Severity: "Non-fatal",
				Text: "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Non-fatal, Link 46 MC TS crumbstore MCTO (First)" +
					" | nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Severity 0 Engine instance 46" +
					" | nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Data {0x00140004}"}}},
		"switch, fatal": {"nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up",
			[]said{{Kind: SXid, Code: 20034, PCI: sw, Severity: "Fatal", Text: "nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 20034, Fatal, Link 30 LTSSM Fault Up"}}},
		"dead controller, no severity": {"nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 26006, SOE HALTED",
			[]said{{Kind: SXid, Code: 26006, PCI: sw, Unclassified: true, Text: "nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 26006, SOE HALTED"}}},
		"data of a line that is missing": {"nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 12033, Data {0x1}",
			[]said{{Kind: SXid, Code: 12033, PCI: sw, Unclassified: true, Text: "nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 12033, Data {0x1}"}}},
		"mismatch in five lines": {"NVRM: API mismatch: the client 'nvidia-smi' (pid 7)\nNVRM: has the version 550.127.05, but this kernel module has\n" +
			"NVRM: the version 550.120.  Please make sure that this\nNVRM: kernel module and all NVIDIA driver components\nNVRM: have the same version.",
			[]said{{Kind: NVRM, Topic: Mismatch, Client: "550.127.05", Module: "550.120",
				Text: "NVRM: API mismatch: the client 'nvidia-smi' (pid 7) has the version 550.127.05, but this kernel module has the version 550.120.  " +
					"Please make sure that this kernel module and all NVIDIA driver components have the same version."}}},
		"mismatch, older": {"NVRM: API mismatch: the client has the version 410.48, but\nNVRM: this kernel module has the version 390.77.",
			[]said{{Kind: NVRM, Topic: Mismatch, Client: "410.48", Module: "390.77",
				Text: "NVRM: API mismatch: the client has the version 410.48, but this kernel module has the version 390.77."}}},
		"lost without a Xid": {"NVRM: The NVIDIA GPU 0000:03:00.0\nNVRM: (PCI ID: 10de:2330) installed in this system has\n" +
			"NVRM: fallen off the bus and is not responding to commands.\nNVRM: GPU 0000:03:00.0: GPU has fallen off the bus.",
			[]said{{Kind: NVRM, Topic: Lost, PCI: gpu,
				Text: "NVRM: The NVIDIA GPU 0000:03:00.0 (PCI ID: 10de:2330) installed in this system has fallen off the bus and is not responding to commands."},
				{Kind: NVRM, Topic: Lost, PCI: gpu, Text: "NVRM: GPU 0000:03:00.0: GPU has fallen off the bus."}}},
		"init": {"NVRM: GPU 0000:03:00.0: RmInitAdapter failed! (0x24:0x65:1589)",
			[]said{{Kind: NVRM, Topic: Init, PCI: gpu, Text: "NVRM: GPU 0000:03:00.0: RmInitAdapter failed! (0x24:0x65:1589)"}}},
		"init, the second word": {"NVRM: rm_init_adapter failed, device minor number 3",
			[]said{{Kind: NVRM, Topic: Init, Text: "NVRM: rm_init_adapter failed, device minor number 3"}}},
		"probe": {"NVRM: The NVIDIA probe routine was not called for 8 device(s).",
			[]said{{Kind: NVRM, Topic: Probe, Text: "NVRM: The NVIDIA probe routine was not called for 8 device(s)."}}},
		"none found": {"NVRM: No NVIDIA GPU found.", []said{{Kind: NVRM, Topic: Probe, Text: "NVRM: No NVIDIA GPU found."}}},
		"region": {"NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:",
			[]said{{Kind: NVRM, Topic: Region, Text: "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:"}}},
		"not supported": {"NVRM: The NVIDIA GPU 0000:03:00.0 (PCI ID: 10de:1b06)\nNVRM: installed in this system is not supported by open\nNVRM: nvidia.ko because it does not include the required GPU",
			[]said{{Kind: NVRM, Topic: NotSupport, PCI: gpu, Text: "NVRM: The NVIDIA GPU 0000:03:00.0 (PCI ID: 10de:1b06) installed in this system is not supported by open"},
				{Kind: NVRM, Text: "NVRM: nvidia.ko because it does not include the required GPU"}}},
		"loaded": {"NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Tue Sep 23 10:11:16 UTC 2025",
			[]said{{Kind: NVRM, Topic: Loaded, Module: "580.95.05", Text: "NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Tue Sep 23 10:11:16 UTC 2025"}}},
		"no UTF-8, and colours": {"NVRM: Xid (PCI:0000:03:00): 46, \xff\x1b[31m",
			[]said{{Kind: Xid, Code: 46, PCI: gpu, Text: `NVRM: Xid (PCI:0000:03:00): 46, \ufffd\u001b[31m`}}},
		"nothing of the driver": {"eth0: link up\n\nusb 1-1: new device", nil},
	} {
		t.Run(name, func(t *testing.T) {
			for form, before := range map[string]string{"seconds": "[   12.345678] ", "date": "[Sun Nov 29 21:03:15 2026] ", "journalctl": "Nov 29 21:03:15 n1 kernel: "} {
				text := before + strings.ReplaceAll(c.lines, "\n", "\n"+before)
				log, err := Read(strings.NewReader(text), Dmesg, Options{})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, saidOf(log.Events)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", form, diff)
				}
			}
			// The same as one record of /dev/kmsg, whose line breaks are escaped.
			log, err := Read(strings.NewReader("3,0,12345678,-;"+strings.ReplaceAll(c.lines, "\n", `\x0a`)+"\n SUBSYSTEM=pci\n"), KMsg, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, saidOf(log.Events)); diff != "" {
				t.Errorf("kmsg (-want +got):\n%s", diff)
			}
		})
	}
}

const off = "NVRM: Xid (PCI:0000:03:00): 79, GPU has fallen off the bus."

func TestKMsgRecords(t *testing.T) {
	event := func(line int, seq uint64, at time.Duration, origin Origin) Event {
		return Event{Kind: Xid, Code: 79, PCI: "0000:03:00", Origin: origin, Boot: "b1", Sequence: seq, HasSequence: true, Monotonic: at, Line: line, Text: off}
	}
	for name, c := range map[string]struct {
		text string
		from uint64
		want Log
	}{
		"kernel":      {"3,7,5000000,-;" + off, 7, Log{Events: []Event{event(1, 7, 5*time.Second, Kernel)}, Last: 7, HasLast: true}},
		"a user's":    {"11,7,5000000,-;" + off, 7, Log{Events: []Event{event(1, 7, 5*time.Second, User)}, Last: 7, HasLast: true}},
		"seen before": {"3,6,1,-;" + off + "\n3,7,5000000,-;" + off, 7, Log{Events: []Event{event(2, 7, 5*time.Second, Kernel)}, Last: 7, HasLast: true}},
		"a gap": {"6,7,1,-;x\n3,10,5000000,-;" + off, 7, Log{Events: []Event{event(2, 10, 5*time.Second, Kernel)}, Last: 10, HasLast: true, Lost: 2, LowerBound: true,
			Notes: []Note{{2, "2 records before number 10 are missing"}}}},
		"the beginning is overwritten": {"6,9,1,-;x", 0, Log{Last: 9, HasLast: true, Lost: 9, LowerBound: true, Notes: []Note{{1, "9 records before number 9 are missing"}}}},
		"told twice":                   {"3,0,5000000,-;" + off + "\n3,0,5000000,-;" + off, 0, Log{Events: []Event{event(1, 0, 5*time.Second, Kernel)}, Last: 0, HasLast: true}},
		"the same number and time, other words": {"3,0,5000000,-;" + off + "\n3,0,5000000,-;" + off + " ", 0,
			Log{Events: []Event{event(1, 0, 5*time.Second, Kernel), event(2, 0, 5*time.Second, Kernel)}, HasLast: true, LowerBound: true,
				Notes: []Note{{2, "number 0 follows 0: the log is joined or damaged"}}}},
		"numbers repeat, times rise": {"3,0,5000000,-;" + off + "\n3,0,6000000,-;" + off, 0,
			Log{Events: []Event{event(1, 0, 5*time.Second, Kernel), event(2, 0, 6*time.Second, Kernel)}, HasLast: true, LowerBound: true,
				Notes: []Note{{2, "number 0 follows 0: the log is joined or damaged"}}}},
		"suppressed": {"4,0,1,-;os_dump: 12 callbacks suppressed", 0, Log{HasLast: true, LowerBound: true,
			Notes: []Note{{1, "the kernel or the driver left lines out: os_dump: 12 callbacks suppressed"}}}},
		"damaged": {off, 0, Log{LowerBound: true, Notes: []Note{{1, "the line is no record"}},
			Events: []Event{{Kind: Xid, Unclassified: true, Origin: Unknown, Boot: "b1", Line: 1, Text: off}}}},
		"the cause is missing": {"3,0,1,-;NVRM: Xid (PCI:0000:03:00): 45, caused by previous Xid 48", 0, Log{HasLast: true, LowerBound: true,
			Notes: []Note{{1, "the Xid 48 that caused this line is missing"}},
			Events: []Event{{Kind: Xid, Code: 45, Cause: 48, PCI: "0000:03:00", Origin: Kernel, Boot: "b1", HasSequence: true, Monotonic: time.Microsecond, Line: 1,
				Text: "NVRM: Xid (PCI:0000:03:00): 45, caused by previous Xid 48"}}}},
		"hidden in a line that is too long": {"6,0,1,-;" + strings.Repeat("x", longestLine) + "Xid", 0, Log{HasLast: true, LowerBound: true,
			Notes:  []Note{{1, "the line is longer than 65536 bytes, and was cut"}},
			Events: []Event{{Kind: Xid, Unclassified: true, Origin: Unknown, Boot: "b1", Line: 1, Text: "the part of a line that was cut off contains Xid"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			log, err := Read(strings.NewReader(c.text), KMsg, Options{Boot: "b1", From: c.from})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, log); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestJournal(t *testing.T) {
	binaryMessage := "MESSAGE\n" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(off)+1))) + "\x01" + off + "\n"
	text := "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1796000000000000\n_BOOT_ID=b2\n_TRANSPORT=kernel\nSYSLOG_FACILITY=0\n" +
		"_SOURCE_MONOTONIC_TIMESTAMP=5000000\nMESSAGE=" + off + "\n\n" +
		"_BOOT_ID=b2\n_TRANSPORT=syslog\nSYSLOG_FACILITY=1\nMESSAGE=" + off + "\n\n" +
		"_BOOT_ID=b2\n_TRANSPORT=kernel\nSYSLOG_FACILITY=0\n" + binaryMessage
	log, err := Read(strings.NewReader(text), Journal, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := Log{Events: []Event{
		{Kind: Xid, Code: 79, PCI: "0000:03:00", Origin: Kernel, Boot: "b2", Monotonic: 5 * time.Second, Wall: time.Unix(1796000000, 0).UTC(), Line: 1, Text: off},
		{Kind: Xid, Code: 79, PCI: "0000:03:00", Origin: User, Boot: "b2", Line: 2, Text: off},
		{Kind: Xid, Unclassified: true, Origin: Kernel, Boot: "b2", Line: 3, Text: `\u0001` + off},
	}}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// A field that stands twice hides nothing, and neither does another field.
	log, err = Read(strings.NewReader("MESSAGE="+off+"\nMESSAGE=x\n\n_CMDLINE=grep Xid\n"), Journal, Options{})
	if err != nil || len(log.Events) != 2 || log.Events[0].Code != 79 || !log.Events[1].Unclassified {
		t.Errorf("%v, %+v", err, log.Events)
	}
	// Cut within the value: what is there is kept, and the log says that it ended too early.
	log, err = Read(strings.NewReader(text[:len(text)-9]), Journal, Options{})
	if err == nil || !log.LowerBound || len(log.Events) != 3 {
		t.Errorf("%v, %+v", err, log)
	}
}

func TestFaults(t *testing.T) {
	lines := []string{
		"[Sun Nov 29 21:03:15 2026] " + off,
		"[Sun Nov 29 21:03:15 2026] NVRM: GPU 0000:03:00.0: GPU has fallen off the bus.",
		"[Sun Nov 29 21:03:16 2026] NVRM: The NVIDIA GPU 0000:03:00.0",
		"[Sun Nov 29 21:03:16 2026] NVRM: (PCI ID: 10de:2330) installed in this system has",
		"[Sun Nov 29 21:03:16 2026] NVRM: fallen off the bus and is not responding to commands.",
		"[Sun Nov 29 21:03:16 2026] NVRM: Xid (PCI:0000:03:00): 154, GPU recovery action changed from 0x0 (None) to 0x1 (GPU Reset Required)",
		"[Sun Nov 29 21:03:16 2026] NVRM: Xid (PCI:0000:03:00): 154, GPU recovery action changed from 0x1 (GPU Reset Required) to 0x2 (Node Reboot Required)",
		"[Sun Nov 29 21:03:17 2026] NVRM: Xid (PCI:0000:04:00.0): 94, x",
		"[Sun Nov 29 21:03:18 2026] NVRM: Xid (PCI:0000:04:00): 94, x",
		"[Sun Nov 29 21:03:18 2026] NVRM: Xid (PCI:0000:05:00): 154, GPU recovery action changed",
		"[Sun Nov 29 21:09:16 2026] " + off,
	}
	log, err := Read(strings.NewReader(strings.Join(lines, "\n")), Dmesg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []Fault{
		{PCI: "0000:03:00", Kind: Xid, Topic: Lost, Code: 79, Count: 2, Recovery: "Node Reboot Required", First: 0, Last: 8},
		{PCI: "0000:04:00", Kind: Xid, Code: 94, Count: 2, First: 5, Last: 6},
		{PCI: "0000:05:00", Kind: Xid, Code: 154, Count: 1, Recovery: "unknown", First: 7, Last: 7},
	}
	if diff := cmp.Diff(want, Faults(log)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	spoofed, err := Read(strings.NewReader("11,0,1,-;"+off), KMsg, Options{})
	if err != nil || len(spoofed.Events) != 1 || Faults(spoofed) != nil {
		t.Errorf("a line that a user wrote: %v, %+v, %+v", err, spoofed.Events, Faults(spoofed))
	}
}

func TestErrors(t *testing.T) {
	broken := errors.New("broken pipe")
	log, err := Read(iotest.ErrReader(broken), KMsg, Options{})
	if !errors.Is(err, broken) || !log.LowerBound {
		t.Errorf("%v, %+v", err, log)
	}
	if _, err := Read(strings.NewReader(""), "xml", Options{}); err == nil || err.Error() != `a kernel log has no form "xml": use kmsg, dmesg or journal` {
		t.Error(err)
	}
}

// FuzzRead: whatever the bytes are, no form panics, everything kept is clean and bounded, and a log with a code in it never
// comes out empty.
func FuzzRead(f *testing.F) {
	f.Add([]byte("3,7,5000000,-;"+off+"\n SUBSYSTEM=pci\n"), uint64(3))
	f.Add([]byte("[Sun Nov 29 21:03:15 2026] "+off), uint64(0))
	f.Add([]byte("MESSAGE="+off+"\n\nMESSAGE\n\x03\x00\x00\x00\x00\x00\x00\x00Xid\n"), uint64(0))
	f.Add([]byte("nvidia-nvswitch0: SXid (PCI:0000:c1:00.0): 26006, SOE HALTED\nNVRM: API mismatch: x\nNVRM: the version"), uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, from uint64) {
		for _, form := range []Form{KMsg, Dmesg, Journal} {
			log, err := Read(bytes.NewReader(data), form, Options{From: from})
			if err != nil && !log.LowerBound {
				t.Fatalf("%s: %v, and the counts are no lower bound", form, err)
			}
			for _, e := range log.Events {
				if e.Text != plain.Line(e.Text) || len(e.Text) > longestText+len("...") || e.Line < 1 || e.Origin == "" {
					t.Fatalf("%s: %+v", form, e)
				}
			}
			Faults(log)
			if (form == Dmesg || form == KMsg && from == 0) && bytes.Contains(data, code) && len(log.Events) == 0 {
				t.Fatalf("a code was dropped of %q", data)
			}
		}
	})
}

// BenchmarkRead reads 8 MB of /dev/kmsg, of which every hundredth record is a Xid.
func BenchmarkRead(b *testing.B) {
	var log bytes.Buffer
	for i := 0; log.Len() < 8<<20; i++ {
		message := "IPv6: ADDRCONF(NETDEV_CHANGE): cali0123456789a: link becomes ready after some more words"
		if i%100 == 99 {
			message = off
		}
		fmt.Fprintf(&log, "6,%d,%d,-;%s\n", i, i*1000, message)
	}
	b.SetBytes(int64(log.Len()))
	for b.Loop() {
		if got, err := Read(bytes.NewReader(log.Bytes()), KMsg, Options{}); err != nil || len(got.Events) == 0 {
			b.Fatal(err, len(got.Events))
		}
	}
}
