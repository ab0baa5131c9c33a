package protocol

import (
	"time"

	"upkeep/providers/facts"
)

// The methods, each with the types of its request and of its result. A new one is a line here, a row of Methods, a handler in
// package host and one in package fakenode; what else treats methods takes them from here.
const (
	Handshake Method[struct{}, Hello]                            = "hello"
	Observe   Method[ObserveRequest, facts.Node]                 = "observe"
	Lock      Method[LockRequest, LockResult]                    = "lock"
	Kubeadm   Method[KubeadmRequest, facts.ConfigurationSources] = "kubeadm.configuration"
	Renew     Method[RenewRequest, RenewResult]                  = "certificates.renew"
	Repair    Method[RepairRequest, RepairResult]                = "certificates.repair"
	Restart   Method[RestartRequest, RestartResult]              = "static_pod.restart"
	Undo      Method[UndoRequest, UndoResult]                    = "marks.undo"
	Sign      Method[SignRequest, SignResult]                    = "certificates.sign"
	Timer     Method[TimerRequest, TimerResult]                  = "stateful_set.timer"

	RestartService Method[RestartServiceRequest, RestartServiceResult] = "service.restart"
	Reboot         Method[RebootRequest, RebootResult]                 = "node.reboot"
	Download       Method[DownloadRequest, DownloadResult]             = "driver.download"
	Install        Method[InstallRequest, InstallResult]               = "driver.install"
)

// The same names for those who send requests by name.
const (
	MethodHello   = string(Handshake)
	MethodObserve = string(Observe)
	MethodLock    = string(Lock)
	MethodKubeadm = string(Kubeadm)
	MethodRenew   = string(Renew)
	MethodRepair  = string(Repair)
	MethodRestart = string(Restart)
	MethodUndo    = string(Undo)
	MethodSign    = string(Sign)
	MethodTimer   = string(Timer)

	MethodRestartService = string(RestartService)
	MethodReboot         = string(Reboot)
	MethodDownload       = string(Download)
	MethodInstall        = string(Install)
)

// NotifyProgress is sent by the helper while a changing method runs; its parameter is Progress.
const NotifyProgress = "progress"

// Methods returns the table of methods, one row each.
func Methods() []Row {
	const (
		answer  = 30 * time.Second
		usual   = 15 * time.Minute
		patient = 30 * time.Minute
		longest = time.Hour
	)
	return []Row{
		read(Handshake, ClassObserve, answer),
		read(Observe, ClassObserve, answer),
		// A certificate for etcd is made in memory for it, and one ConfigMap that holds no secret comes back.
		read(Kubeadm, ClassObserve, answer),
		// It writes one small file of the helper's, and only runs that change nodes ask for it.
		read(Lock, ClassChange, answer),
		// Kubeconfigs lie where the operator's configuration says, in home directories too: the unit of a request may write
		// to the directories of those that it names.
		change(Renew, usual, Unit{Most: longest, Hardening: Hardening{Writes: []string{"/etc/kubernetes"}, Home: true}}),
		change(Repair, usual, Unit{Most: longest, Hardening: Hardening{Writes: []string{"/etc/kubernetes"}, Home: true}}),
		// The container runtime does it, behind a socket; the helper itself writes down what it did, and nothing else.
		change(Restart, usual, Unit{Most: longest}),
		// systemd does it, behind a socket; what has expired of k3s and RKE2 is renamed where it lies.
		change(RestartService, usual, Unit{Most: longest, Hardening: Hardening{Writes: []string{"/var/lib/rancher"}}}),
		// systemd does it, behind a socket. A machine may take half an hour to come back.
		change(Reboot, patient, Unit{Most: 2 * longest, Restarts: true}),
		// apt keeps what it downloads, and takes its own locks.
		change(Download, patient, Unit{Most: 2 * longest, Hardening: Hardening{
			Writes: []string{"/var/cache/apt", "/var/lib/apt", "/var/lib/dpkg", "/var/log/apt"},
		}}),
		change(Install, patient, Unit{Most: 2 * longest, Hardening: Hardening{
			Unconfined: "dpkg unpacks packages, and runs their scripts, which build modules and write to /boot",
		}}),
		// It reads the key of an authority, and writes nothing of the cluster's.
		change(Sign, answer, Unit{Most: usual}),
		// systemd keeps the timer, behind a socket; what the timer does is written down in the helper's own directory. A hold
		// is no run of a plan.
		change(Timer, answer, Unit{Most: usual, WithoutRun: true}),
		// A mark can be undone when the state is gone, and so without a run. It undoes what a renewal did, where that did it.
		change(Undo, usual, Unit{Most: longest, WithoutRun: true, Hardening: Hardening{Writes: []string{"/etc/kubernetes"}, Home: true}}),
	}
}

// Service is a raw session (a tunnel) that a node offers in addition to its methods.
type Service struct {
	Name  string
	Class Class
}

// ServiceEtcd is the tunnel to the node's own member of etcd.
const ServiceEtcd = "etcd"

// Services returns the services of a node.
func Services() []Service {
	return []Service{
		// Both carry etcd's own protocol with a client's certificate, which may write as well as read.
		{ServiceEtcd, ClassChange}, {ServiceEndpoint, ClassChange},
		{ServiceBundles, ClassBackup}, {ServiceFiles, ClassBackup}, {ServiceCold, ClassBackup}, {ServiceSQLite, ClassBackup},
	}
}

// ServiceClass returns the class of a service; that of changes for one that there is none of, which the helper refuses.
func ServiceClass(name string) Class {
	for _, s := range Services() {
		if s.Name == name {
			return s.Class
		}
	}
	return ClassChange
}

// Offers returns the names of the methods and services of a class, as the table has them.
func (c Class) Offers() []string {
	var names []string
	for _, r := range Methods() {
		if r.Class == c {
			names = append(names, r.Name)
		}
	}
	for _, s := range Services() {
		if s.Class == c {
			names = append(names, s.Name)
		}
	}
	return names
}
