package kube

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/plain"
)

// LeaseName is the Lease in namespace kube-system that one run of upkeep holds at a time, whatever state it works with.
const LeaseName = "upkeep"

// The annotations of the Lease: who the holder is beyond its name.
const (
	annotationLineage    = "upkeep.dev/lineage"
	annotationGeneration = "upkeep.dev/generation"
	annotationPlan       = "upkeep.dev/plan"
	annotationStop       = "upkeep.dev/stop"
	annotationHold       = "upkeep.dev/hold"
)

// LeaseRequest says who wants the Lease.
type LeaseRequest struct {
	Holder     string // "user@host/pid", for people
	Lineage    string // of the state
	Generation uint64 // of the state's lock
	Plan       string // the plan's id
	// Duration is how long the Lease lasts without renewal; complete seconds.
	Duration time.Duration
	// DuringHold: it is taken although a hold stands, for what may be done then: a backup.
	DuringHold bool
	// Watching, when not nil, is told that a Lease seems to have expired and is watched for its complete duration.
	Watching func(LeaseHolder)
}

// LeaseHolder is what a Lease says of who holds it.
type LeaseHolder struct {
	Holder     string
	Lineage    string
	Generation uint64
	Plan       string
	Since      time.Time
	Renewed    time.Time
	Duration   time.Duration
}

// LeaseHeldError says that another run holds the Lease.
type LeaseHeldError struct {
	Server string
	Holder LeaseHolder
	Why    string // why it counts as alive, where that is not plain; may be empty
}

// Error implements error.
func (e *LeaseHeldError) Error() string {
	why := ""
	if e.Why != "" {
		why = " (" + e.Why + ")"
	}
	return fmt.Sprintf("another upkeep works on this cluster: Lease %s/%s on %s is held by %s, which works with the state %s (generation %d) on plan %s; held since %s, renewed %s%s; wait for it with -lock-timeout=5m; a crashed holder loses the Lease %s after its last renewal; to remove the Lease now, run `kubectl -n kube-system delete lease upkeep`",
		metav1.NamespaceSystem, LeaseName, e.Server, plain.Said(e.Holder.Holder), plain.Told(e.Holder.Lineage), e.Holder.Generation, plain.Told(e.Holder.Plan),
		stamp(e.Holder.Since), stamp(e.Holder.Renewed), why, e.Holder.Duration)
}

// Lost tells this error from one that may pass: another run has the cluster.
func (*LeaseHeldError) Lost() bool { return true }

// LeaseLostError says that the Lease is not this run's any longer.
type LeaseLostError struct {
	Server string
	Why    string
}

// Error implements error.
func (e *LeaseLostError) Error() string {
	return fmt.Sprintf("Lease %s/%s on %s was lost: %s; work was stopped; the next apply checks what was done and continues",
		metav1.NamespaceSystem, LeaseName, e.Server, e.Why)
}

// Lost tells this error from one that a later renewal may repair.
func (*LeaseLostError) Lost() bool { return true }

// UnreachableError says that the API server gave no answer that counts: it is down, or does not know the kubeconfig's
// certificate any longer.
type UnreachableError struct {
	Server string
	Cause  error
}

// Error implements error.
func (e *UnreachableError) Error() string { return e.Server + ": " + explain(e.Cause) }

// Unreachable tells this error from an answer of the API server.
func (*UnreachableError) Unreachable() bool { return true }

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Cause }

// Lease is the cluster's Lease, held by this process. It is not renewed by itself: the one who holds it calls Renew.
type Lease struct {
	client  *Client
	request LeaseRequest
	object  *coordinationv1.Lease
}

// AcquireLease takes the Lease, or fails with *LeaseHeldError, or with *UnreachableError where the API is down.
//
// A Lease that was released is taken. So is one of the same lineage with an older generation: who has the state's newer
// lock has waited for the older holder, or outlived it. Of another lineage only a Lease that was not renewed for its
// complete duration is taken, and that is watched, not computed: the clocks of two machines cannot be compared. So this
// may wait for that duration, and ends early when the Lease is renewed at the same time or ctx ends. Every change is
// compared with what was read, by resource version.
func (c *Client) AcquireLease(ctx context.Context, request LeaseRequest) (*Lease, error) {
	watched, since := "", time.Time{}
	for {
		object, err := c.getLease(ctx)
		if err != nil {
			return nil, err
		}
		if object == nil {
			object, err = c.api.CoordinationV1().Leases(metav1.NamespaceSystem).Create(ctx, request.onto(nil, time.Now()), metav1.CreateOptions{})
			if err == nil {
				return &Lease{c, request, object}, nil
			}
			if !apierrors.IsAlreadyExists(err) {
				return nil, c.leaseError("create", err)
			}
			continue
		}
		if hold, stands := holdOf(object); stands && !request.DuringHold {
			return nil, &HoldError{Server: c.config.Host, Hold: hold}
		}
		holder := holderOf(object)
		why, wait := refusal(request, holder, time.Now())
		if wait && watched == object.ResourceVersion && time.Since(since) >= holder.Duration {
			why, wait = "", false
		}
		switch {
		case why != "" && !wait:
			return nil, &LeaseHeldError{Server: c.config.Host, Holder: holder, Why: why}
		case wait:
			if watched != "" && watched != object.ResourceVersion {
				return nil, &LeaseHeldError{Server: c.config.Host, Holder: holder, Why: "it was renewed while this run watched it"}
			}
			if watched == "" {
				watched, since = object.ResourceVersion, time.Now()
				if request.Watching != nil {
					request.Watching(holder)
				}
			}
			select {
			case <-ctx.Done():
				return nil, fmt.Errorf("watching whether %s still renews Lease %s/%s on %s: %w", plain.Said(holder.Holder), metav1.NamespaceSystem, LeaseName, c.config.Host, context.Cause(ctx))
			case <-time.After(min(time.Second, max(holder.Duration/10, time.Millisecond))):
			}
			continue
		}
		updated, err := c.api.CoordinationV1().Leases(metav1.NamespaceSystem).Update(ctx, request.onto(object, time.Now()), metav1.UpdateOptions{})
		switch {
		case err == nil:
			return &Lease{c, request, updated}, nil
		case apierrors.IsConflict(err), apierrors.IsNotFound(err):
			continue // somebody was faster: look who
		default:
			return nil, c.leaseError("take", err)
		}
	}
}

// refusal says why a Lease cannot be taken now (empty: it can), and whether watching it could tell more. Pure.
func refusal(request LeaseRequest, holder LeaseHolder, now time.Time) (why string, wait bool) {
	switch {
	case holder.Holder == "": // released
		return "", false
	case holder.Lineage == request.Lineage && holder.Generation > request.Generation:
		return "a newer run of the same state", false
	case holder.Lineage == request.Lineage && holder.Generation == request.Generation && holder.Holder != request.Holder:
		return "the same generation of the same state", false
	case holder.Lineage == request.Lineage:
		return "", false
	case now.Before(holder.Renewed.Add(holder.Duration)):
		return "it has not expired", false
	default:
		return "by this machine's clock it has expired", true
	}
}

// Renew extends the Lease from now. It fails with *LeaseLostError when it is not this run's any longer; other errors
// may pass.
func (l *Lease) Renew(ctx context.Context) error {
	for {
		updated, err := l.client.api.CoordinationV1().Leases(metav1.NamespaceSystem).Update(ctx, l.request.onto(l.object, time.Now()), metav1.UpdateOptions{})
		switch {
		case err == nil:
			l.object = updated
			return nil
		case apierrors.IsNotFound(err):
			return l.lost("somebody deleted it")
		case apierrors.IsConflict(err):
			if err := l.refresh(ctx); err != nil { // a stranger's edit that leaves it ours, or the end
				return err
			}
		default:
			return l.client.leaseError("renew", err)
		}
	}
}

// Check looks whether the Lease is still this run's, now. It fails as Renew does.
func (l *Lease) Check(ctx context.Context) error { return l.refresh(ctx) }

// refresh reads the Lease and keeps what was read, if it is still ours.
func (l *Lease) refresh(ctx context.Context) error {
	object, err := l.client.getLease(ctx)
	switch {
	case err != nil:
		return err
	case object == nil:
		return l.lost("somebody deleted it")
	}
	if holder := holderOf(object); !l.request.is(holder) {
		if holder.Holder == "" {
			return l.lost("it was released")
		}
		return l.lost(fmt.Sprintf("%s took it over (state %s, generation %d, plan %s)", plain.Said(holder.Holder), plain.Told(holder.Lineage), holder.Generation, plain.Told(holder.Plan)))
	}
	l.object = object
	return nil
}

// mostStop bounds what a person says in a request to stop, in bytes.
const mostStop = 500

// AskStop asks the holder of the Lease to stop, by an annotation that is read at each renewal. A Lease that nobody
// holds, or that has expired by this machine's clock, is left alone, and asked is false.
func (c *Client) AskStop(ctx context.Context, request string) (holder LeaseHolder, asked bool, err error) {
	for {
		object, err := c.getLease(ctx)
		if err != nil || object == nil {
			return LeaseHolder{}, false, err
		}
		holder := holderOf(object)
		if holder.Holder == "" || !time.Now().Before(holder.Renewed.Add(holder.Duration)) {
			return holder, false, nil
		}
		object = object.DeepCopy()
		if object.Annotations == nil {
			object.Annotations = map[string]string{}
		}
		object.Annotations[annotationStop] = request[:min(len(request), mostStop)]
		_, err = c.api.CoordinationV1().Leases(metav1.NamespaceSystem).Update(ctx, object, metav1.UpdateOptions{})
		switch {
		case err == nil:
			return holder, true, nil
		case apierrors.IsConflict(err), apierrors.IsNotFound(err):
			continue // it was renewed, or given back: look again
		default:
			return holder, false, c.leaseError("write to", err)
		}
	}
}

// StopAsked is what somebody wrote who wants this run to stop, as of the last renewal; empty: nobody does.
func (l *Lease) StopAsked() string {
	text := l.object.Annotations[annotationStop]
	return text[:min(len(text), mostStop)]
}

// Release gives the Lease back. A Lease that is not this run's any longer is left alone.
func (l *Lease) Release(ctx context.Context) error {
	for {
		released := l.object.DeepCopy()
		none := ""
		released.Spec.HolderIdentity = &none
		now := metav1.NewMicroTime(time.Now())
		released.Spec.RenewTime = &now
		_, err := l.client.api.CoordinationV1().Leases(metav1.NamespaceSystem).Update(ctx, released, metav1.UpdateOptions{})
		switch {
		case err == nil, apierrors.IsNotFound(err):
			return nil
		case apierrors.IsConflict(err):
			var lost *LeaseLostError
			if err := l.refresh(ctx); errors.As(err, &lost) {
				return nil
			} else if err != nil {
				return err
			}
		default:
			return l.client.leaseError("release", err)
		}
	}
}

// String names the Lease for people.
func (l *Lease) String() string {
	return fmt.Sprintf("Lease %s/%s on %s", metav1.NamespaceSystem, LeaseName, l.client.config.Host)
}

func (l *Lease) lost(why string) error {
	return &LeaseLostError{Server: l.client.config.Host, Why: why}
}

// getLease returns the Lease; nil where there is none.
func (c *Client) getLease(ctx context.Context) (*coordinationv1.Lease, error) {
	object, err := c.api.CoordinationV1().Leases(metav1.NamespaceSystem).Get(ctx, LeaseName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.leaseError("read", err)
	}
	return object, nil
}

// leaseError tells an API that is down from one that says no.
func (c *Client) leaseError(verb string, err error) error {
	var status apierrors.APIStatus
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s Lease %s/%s on %s: %w; allow this kubeconfig's user to get, create and update leases.coordination.k8s.io in %s",
			verb, metav1.NamespaceSystem, LeaseName, c.config.Host, err, metav1.NamespaceSystem)
	case !errors.As(err, &status), apierrors.IsUnauthorized(err), apierrors.IsServiceUnavailable(err), apierrors.IsInternalError(err),
		apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), apierrors.IsTooManyRequests(err), apierrors.IsUnexpectedServerError(err):
		return &UnreachableError{Server: c.config.Host, Cause: err}
	default:
		return fmt.Errorf("%s Lease %s/%s on %s: %w", verb, metav1.NamespaceSystem, LeaseName, c.config.Host, err)
	}
}

// onto returns the Lease as this run holds it, made from the one that was read; nil: there is none yet.
func (r LeaseRequest) onto(object *coordinationv1.Lease, now time.Time) *coordinationv1.Lease {
	if object == nil {
		object = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: LeaseName, Namespace: metav1.NamespaceSystem}}
	}
	object = object.DeepCopy()
	seconds, at := int32(r.Duration/time.Second), metav1.NewMicroTime(now)
	if !r.is(holderOf(object)) {
		object.Spec.AcquireTime = &at
		transitions := int32(0)
		if object.Spec.LeaseTransitions != nil {
			transitions = *object.Spec.LeaseTransitions + 1
		}
		object.Spec.LeaseTransitions = &transitions
		delete(object.Annotations, annotationStop) // it was for the one before
	}
	object.Spec.HolderIdentity, object.Spec.LeaseDurationSeconds, object.Spec.RenewTime = &r.Holder, &seconds, &at
	if object.Annotations == nil {
		object.Annotations = map[string]string{}
	}
	object.Annotations[annotationLineage] = r.Lineage
	object.Annotations[annotationGeneration] = strconv.FormatUint(r.Generation, 10)
	object.Annotations[annotationPlan] = r.Plan
	return object
}

// is reports whether a holder is this run.
func (r LeaseRequest) is(h LeaseHolder) bool {
	return h.Holder == r.Holder && h.Lineage == r.Lineage && h.Generation == r.Generation
}

// holderOf reads a Lease. What somebody else wrote into it may be nonsense: that reads as zero values.
func holderOf(object *coordinationv1.Lease) LeaseHolder {
	h := LeaseHolder{Lineage: object.Annotations[annotationLineage], Plan: object.Annotations[annotationPlan]}
	h.Generation, _ = strconv.ParseUint(object.Annotations[annotationGeneration], 10, 64)
	if object.Spec.HolderIdentity != nil {
		h.Holder = *object.Spec.HolderIdentity
	}
	if object.Spec.AcquireTime != nil {
		h.Since = object.Spec.AcquireTime.UTC()
	}
	if object.Spec.RenewTime != nil {
		h.Renewed = object.Spec.RenewTime.UTC()
	}
	if object.Spec.LeaseDurationSeconds != nil {
		h.Duration = time.Duration(*object.Spec.LeaseDurationSeconds) * time.Second
	}
	return h
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "(unknown)"
	}
	return t.UTC().Format(time.RFC3339)
}
