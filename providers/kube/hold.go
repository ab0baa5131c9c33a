package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"upkeep/providers/facts"
	"upkeep/providers/plain"
	"upkeep/providers/strictjson"
)

// HoldError says that people work on the cluster by other means, so that no run may begin.
type HoldError struct {
	Server string // empty: the state says it
	Hold   facts.Hold
}

// Error implements error.
func (e *HoldError) Error() string {
	where := "the state"
	if e.Server != "" {
		where = fmt.Sprintf("Lease %s/%s on %s", metav1.NamespaceSystem, LeaseName, e.Server)
	}
	return fmt.Sprintf("a hold stands, so nothing is changed: %s began it at %s (%s), planned until %s; %s says so; "+
		"when that work is done, end the hold: `upkeep hold end`",
		plain.Told(e.Hold.Who), stamp(e.Hold.At), plain.Said(e.Hold.Reason), stamp(e.Hold.Until), where)
}

// Lost tells this error from one that may pass: others have the cluster.
func (*HoldError) Lost() bool { return true }

// mostHold bounds the record of a hold, in bytes: an annotation is read by everybody who reads the Lease.
const mostHold = 4096

// holdOf reads the hold that a Lease records. A record that cannot be read is one: nobody knows what it says.
func holdOf(object *coordinationv1.Lease) (hold facts.Hold, stands bool) {
	text, stands := object.Annotations[annotationHold]
	if !stands {
		return facts.Hold{}, false
	}
	if len(text) > mostHold || strictjson.Decode([]byte(text), &hold) != nil {
		return facts.Hold{Reason: "the record of the hold cannot be read"}, true
	}
	return hold, true
}

// Hold records a hold in the cluster's Lease. A run that holds the Lease, or a hold that stands already, is an error,
// *LeaseHeldError or *HoldError, and nothing is written.
func (c *Client) Hold(ctx context.Context, hold facts.Hold) error {
	hold.Before = nil // it is for the state alone
	text, err := json.Marshal(hold)
	if err != nil {
		return fmt.Errorf("write the hold: %w", err)
	}
	if len(text) > mostHold {
		return fmt.Errorf("the reason is too long: the record of the hold has %d bytes, and %d is the most",
			len(text), mostHold)
	}
	return c.changeLease(ctx, func(object *coordinationv1.Lease) (bool, error) {
		if other, stands := holdOf(object); stands {
			return false, &HoldError{Server: c.config.Host, Hold: other}
		}
		holder := holderOf(object)
		if holder.Holder != "" && time.Now().Before(holder.Renewed.Add(holder.Duration)) {
			return false, &LeaseHeldError{Server: c.config.Host, Holder: holder}
		}
		if object.Annotations == nil {
			object.Annotations = map[string]string{}
		}
		object.Annotations[annotationHold] = string(text)
		return true, nil
	})
}

// EndHold removes the hold from the cluster's Lease, and reports whether one stood there.
func (c *Client) EndHold(ctx context.Context) (stood bool, err error) {
	err = c.changeLease(ctx, func(object *coordinationv1.Lease) (bool, error) {
		_, stood = object.Annotations[annotationHold]
		delete(object.Annotations, annotationHold)
		return stood, nil
	})
	return stood, err
}

// changeLease changes the Lease, which it creates where there is none, compared by resource version with what was
// read.
// change reports whether there is anything to write.
func (c *Client) changeLease(ctx context.Context, change func(*coordinationv1.Lease) (bool, error)) error {
	leases := c.api.CoordinationV1().Leases(metav1.NamespaceSystem)
	for {
		object, err := c.getLease(ctx)
		if err != nil {
			return err
		}
		fresh := object == nil
		if fresh {
			object = &coordinationv1.Lease{
				ObjectMeta: metav1.ObjectMeta{Name: LeaseName, Namespace: metav1.NamespaceSystem},
			}
		}
		object = object.DeepCopy()
		if write, err := change(object); err != nil || !write {
			return err
		}
		if fresh {
			_, err = leases.Create(ctx, object, metav1.CreateOptions{})
		} else {
			_, err = leases.Update(ctx, object, metav1.UpdateOptions{})
		}
		switch {
		case err == nil:
			return nil
		case apierrors.IsConflict(err), apierrors.IsNotFound(err), apierrors.IsAlreadyExists(err):
			continue // somebody was faster: look again
		default:
			return c.leaseError("write to", err)
		}
	}
}
