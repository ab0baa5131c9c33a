// Package renew renews certificates of a control plane that kubeadm made, and those of kubespray's etcd, so that at no
// instant, whatever dies, a key without its certificate stays behind for good.
//
// kubeadm signs what it knows, and the helper itself the rest, with the key of its CA. kubeadm does so inside a
// staging tree, since on the real files it writes key and certificate one after the other, unprotected. What it made
// is verified there. Then an intent is recorded with the new files, and these are put in place one by one, each by
// write-temp, fsync, rename, fsync of the directory. An intent that was not cleared is what an interrupted renewal
// leaves; Repair finishes or undoes it, and Run refuses to start next to it.
//
// Everything is kept below /var/lib/upkeep, which root alone may write to:
//
//	lock                        held while anything is changed
//	archive/STEP-TIME.tar.gz    the PKI as it was before each renewal, never removed here
//	stage/ID/                   the tree that kubeadm works in; gone when the renewal ends
//	intents/ID/intent.json      the intent; next to it the new files
//	marks/                      a mark of each staging tree and intent, made before it and removed after it
//
// It restarts nothing and decides nothing: which certificates are due, and what must be restarted, is said by those who
// ask. Private keys are in the files above, in the real ones, and nowhere else: no message holds any.
package renew

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"upkeep/providers/node/agent/disk"
	"upkeep/providers/node/agent/pki"
	"upkeep/providers/node/protocol"
)

// Renewer renews on one node. Only Disk, Kubeadm and Now are needed.
type Renewer struct {
	Disk *disk.Disk
	// Kubeadm is the path of kubeadm's binary.
	Kubeadm string
	Now     func() time.Time
	// CRISocket is told to kubeadm, which then need not look for one. Empty: containerd's.
	CRISocket string
	// layout is the node's, for the request at hand.
	layout pki.Found
	// At is called with the name of each instant at which a crash would leave something different behind. Nil outside
	// tests: they end the process there.
	At func(instant string)
}

func (r *Renewer) at(format string, args ...any) {
	if r.At != nil {
		r.At(fmt.Sprintf(format, args...))
	}
}

// Run renews the certificates that the request names, and gives the copies of admin.conf it names the new client
// certificate. An error before "installing" means that nothing was changed; one after it says how to go on.
func (r *Renewer) Run(ctx context.Context, q protocol.RenewRequest, progress func(string)) (protocol.RenewResult, error) {
	fail := func(err error) (protocol.RenewResult, error) {
		return protocol.RenewResult{}, fmt.Errorf("renew certificates: %w", err)
	}
	if err := r.find(cmp.Or(q.Layout, "auto")); err != nil {
		return fail(err)
	}
	config, err := r.configuration(q)
	if err != nil {
		return fail(err)
	}
	items, err := r.look(q, config)
	if err != nil {
		return fail(err)
	}
	s, err := r.open()
	if err != nil {
		return fail(err)
	}
	defer s.close()
	if err := s.sweep(); err != nil {
		return fail(err)
	}
	if left := Unfinished(r.Disk); len(left) > 0 {
		return fail(fmt.Errorf("an earlier renewal was interrupted and left intent %s: it must be repaired first; `upkeep plan` puts that step first", left[0].ID))
	}
	copies, err := r.lookCopies(q)
	if err != nil {
		return fail(err)
	}
	id := identifier(q.Step, r.Now())

	progress("archiving the PKI")
	archive, err := r.archive(s, id, items, copies)
	if err != nil {
		return fail(fmt.Errorf("archive the PKI: %w", err))
	}
	r.at("mark:stage")
	if err := s.markStage(id, q.Run, r.Now()); err != nil {
		return fail(fmt.Errorf("mark the staging tree: %w", err))
	}
	defer func() { _ = s.unstage(id) }() // what stays is marked, and the next renewal removes it
	renewed, err := r.sign(ctx, s, id, items, config, progress)
	if err != nil {
		return fail(err)
	}
	renewed, err = r.takeOver(renewed, copies, progress)
	if err != nil {
		return fail(err)
	}
	r.at("mark:intent")
	if err := s.markIntent(id, q.Run, archive, r.Now()); err != nil {
		return fail(fmt.Errorf("mark the intent: %w", err))
	}
	record := newIntent(q.Step, r.Now(), archive, renewed)
	if err := r.write(s, id, record, renewed); err != nil {
		return fail(errors.Join(fmt.Errorf("record the intent: %w", err), s.clear(id)))
	}
	for _, g := range record.Groups {
		progress("installing " + g.Name)
		if err := r.install(s, id, g); err != nil {
			return fail(fmt.Errorf("install %s: %w; intent %s keeps the new files: repair it (`upkeep plan` puts that step first)", g.Name, err, id))
		}
	}
	r.at("clear")
	if err := s.clear(id); err != nil {
		return fail(fmt.Errorf("all certificates are installed, but the intent %s cannot be cleared: %w", id, err))
	}
	result := protocol.RenewResult{Archive: archive, Serials: map[string]string{}}
	for _, g := range record.Groups {
		result.Serials[g.Name] = g.Serial
	}
	return result, nil
}
