// Package protocol is what upkeep and upkeep-node say to each other: methods, requests and answers, and how they are
// framed on a pipe. Both sides import it; it imports neither, and nothing heavy.
//
// What must be said of a method is said once, in the table (Methods): its types, its class, how long it may take, and how it is
// run. Both sides, and what stands for the node in tests, are made from it.
package protocol

import "upkeep/providers/facts"

// ObserveRequest asks for everything upkeep wants to know of a node.
type ObserveRequest struct {
	Question facts.Question `json:"question"`
}

// RenewRequest asks to renew certificates of kubeadm's or kubespray's layout.
type RenewRequest struct {
	Run Run `json:"run"`
	// Step is the id of the step, for the intent record and the archive's name.
	Step string `json:"step"`
	// Layout is the layout that the operator named; empty: the node's own files tell.
	Layout string `json:"layout,omitempty"`
	// Names are the layout's names: "apiserver", "admin.conf", "etcd-member". Never CAs.
	Names []string `json:"names"`
	// ClusterConfiguration is the cluster's own kubeadm ClusterConfiguration, YAML. The helper refuses an empty one.
	ClusterConfiguration string `json:"cluster_configuration"`
	// SANs are names that certificates lack: those are issued again, with the names that the configuration gives them.
	SANs map[string][]string `json:"sans,omitempty"`
	// Serials are the serials that are on disk now, by name; the helper refuses if one differs.
	Serials map[string]string `json:"serials"`
	// Kubeconfigs are absolute paths of copies of admin.conf that take over the renewed client certificate.
	Kubeconfigs []string `json:"kubeconfigs,omitempty"`
	// Outage: the certificates had expired. Components that ended over and over are started again at once.
	Outage bool `json:"outage,omitempty"`
}

// InRun and BelongsTo implement Changing.
func (r RenewRequest) InRun(run Run) any { r.Run = run.at(r.Step); return r }
func (r RenewRequest) BelongsTo() Run    { return r.Run }

// RenewResult says what is on disk now.
type RenewResult struct {
	Archive string            `json:"archive"` // path of the PKI archive on the node
	Serials map[string]string `json:"serials"` // new serials by name

	Performed Performed `json:"performed,omitzero"`
}

// RepairRequest asks to finish or undo what an interrupted renewal left.
type RepairRequest struct {
	Run    Run    `json:"run"`
	Step   string `json:"step"`
	Intent string `json:"intent"` // facts.Unfinished.ID
}

// InRun and BelongsTo implement Changing.
func (r RepairRequest) InRun(run Run) any { r.Run = run.at(r.Step); return r }
func (r RepairRequest) BelongsTo() Run    { return r.Run }

// RepairResult says what was done.
type RepairResult struct {
	Installed []string `json:"installed,omitempty"`
	Discarded []string `json:"discarded,omitempty"`

	Performed Performed `json:"performed,omitzero"`
}

// RestartRequest asks to replace the container of a static pod.
type RestartRequest struct {
	Run       Run    `json:"run"`
	Step      string `json:"step"`
	Component string `json:"component"` // "kube-scheduler"
	// ContainerID is the container that must go; if another runs by now the helper does nothing and says so.
	ContainerID string `json:"container_id"`
	// Stale: whichever container runs must go, unless it started after the component's kubeconfig was written.
	// ContainerID is then not looked at.
	Stale bool `json:"stale,omitempty"`
	// TimeoutSeconds bounds the wait for the new container.
	TimeoutSeconds int `json:"timeout_seconds"`
}

// InRun and BelongsTo implement Changing.
func (r RestartRequest) InRun(run Run) any { r.Run = run.at(r.Step); return r }
func (r RestartRequest) BelongsTo() Run    { return r.Run }

// RestartResult names the new container.
type RestartResult struct {
	ContainerID string `json:"container_id"`

	Performed Performed `json:"performed,omitzero"`
}

// RestartServiceRequest asks to restart a service of systemd.
type RestartServiceRequest struct {
	Run     Run    `json:"run"`
	Step    string `json:"step"`
	Service string `json:"service"` // "etcd.service"
	// Invocation is the start of the service that must end; with another one the helper does nothing and says so. Empty:
	// the service is not active.
	Invocation string `json:"invocation,omitempty"`
	// Aside are certificates of k3s or RKE2 that have expired and that no start renews, by their names in the layout: the
	// service is stopped, the files get another name next to the old one, and the service is started.
	Aside []string `json:"aside,omitempty"`
}

// InRun and BelongsTo implement Changing.
func (r RestartServiceRequest) InRun(run Run) any { r.Run = run.at(r.Step); return r }
func (r RestartServiceRequest) BelongsTo() Run    { return r.Run }

// RestartServiceResult names the new start.
type RestartServiceResult struct {
	Invocation string `json:"invocation"`

	Performed Performed `json:"performed,omitzero"`
}

// Progress is one line of progress.
type Progress struct {
	Line string `json:"line"`
}
