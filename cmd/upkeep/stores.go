package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"upkeep/cmd/upkeep/wiring"
	"upkeep/config"
	"upkeep/providers"
	"upkeep/providers/backup"
	"upkeep/providers/backup/bundle"
	"upkeep/providers/bounded"
	"upkeep/providers/facts"
	"upkeep/providers/node/protocol"
	"upkeep/providers/store"
)

// stores opens the stores of the backups that a configuration declares.
type stores struct {
	nodes *wiring.Nodes
	run   protocol.Run           // that what is stored on a node belongs to
	specs map[string]backup.Spec // by address
}

func storesOf(desired config.Desired, nodes *wiring.Nodes, run protocol.Run) stores {
	s := stores{nodes: nodes, run: run, specs: map[string]backup.Spec{}}
	for _, spec := range backup.Declared(desired) {
		s.specs[spec.Address().String()] = spec
	}
	return s
}

// spec returns the block of an address.
func (s stores) spec(address providers.Address) (backup.Spec, bool) {
	spec, ok := s.specs[address.String()]
	return spec, ok
}

// open opens the store of a block. It does not connect yet.
func (s stores) open(spec backup.Spec) (store.Store, error) {
	of := spec.Store
	switch of.Kind {
	case backup.StoreFile:
		return store.File(of.Path)
	case backup.StoreS3:
		options := store.S3Options{
			Endpoint: of.Endpoint, Region: of.Region, Bucket: of.Bucket, Prefix: of.Prefix, PathStyle: of.PathStyle,
			AccessKey: of.AccessKey, SecretKey: of.SecretKey, Environment: os.Getenv,
			Lock: store.Lock{Mode: of.ObjectLock, For: time.Duration(of.LockFor)},
		}
		if of.CAFile != "" {
			ca, err := bounded.File(of.CAFile, bounded.Keys)
			if err != nil {
				return nil, fmt.Errorf("ca_file: %w", err)
			}
			options.CA = ca
		}
		return store.S3(options)
	case backup.StoreNode:
		return store.Node(store.NodeOptions{Node: of.Node, Directory: of.Path, Run: s.run, Dial: func(ctx context.Context) (net.Conn, error) {
			return s.nodes.Tunnel(ctx, of.Node, protocol.ServiceBundles)
		}})
	default:
		return nil, fmt.Errorf("this upkeep knows no store %q", of.Kind)
	}
}

// Observe lists a store: bundles as their labels describe them, and what is no bundle.
func (s stores) Observe(ctx context.Context, question facts.BackupsQuestion) facts.Backups {
	spec, ok := s.specs[question.Address]
	if !ok {
		return facts.Backups{Unknown: question.Address + " is not declared"}
	}
	out := facts.Backups{Store: spec.Store.String(), MachineID: machineID()}
	if err := spec.CheckIdentity(); err != nil {
		out.Identity = err.Error()
	}
	opened, err := s.open(spec)
	if err != nil {
		out.Unknown = err.Error()
		return out
	}
	found, foreign, err := bundle.Find(ctx, opened)
	if err != nil {
		out.Unknown = err.Error()
		return out
	}
	for _, f := range found {
		switch {
		case f.Problem == nil:
			out.Bundles = append(out.Bundles, f.Label.Facts())
		case errors.Is(f.Problem, bundle.ErrIncomplete):
			for _, name := range f.Names {
				out.Strays = append(out.Strays, facts.Stray{Name: name, Kind: "half-written", What: "it was not written to its end"})
			}
		case f.Label.ID != "":
			damaged := f.Label.Facts()
			damaged.Damaged = f.Problem.Error()
			out.Bundles = append(out.Bundles, damaged)
		default:
			out.Strays = append(out.Strays, facts.Stray{Name: strings.Join(f.Names, ", "), Kind: "damaged", What: f.Problem.Error()})
		}
	}
	for _, name := range foreign {
		out.Strays = append(out.Strays, facts.Stray{Name: name, Kind: "foreign", What: "it is no bundle of upkeep"})
	}
	return s.reread(ctx, spec, opened, out)
}

// reread reads the newest bundle to its end where that costs little, so that a bundle which everything rests upon and
// which has changed on the disk is found before it is needed. Other stores bill for reading.
func (s stores) reread(ctx context.Context, spec backup.Spec, opened store.Store, out facts.Backups) facts.Backups {
	if spec.Store.Kind != backup.StoreFile {
		return out
	}
	for i := len(out.Bundles) - 1; i >= 0; i-- {
		b := &out.Bundles[i]
		if b.Damaged != "" || b.Address != spec.Address().String() {
			continue
		}
		if b.Size <= rereadLimit {
			b.Damaged = readThrough(ctx, opened, *b)
		}
		break
	}
	return out
}

// rereadLimit is how large a bundle may be that every observation reads: a second's work.
const rereadLimit = 1 << 30

func readThrough(ctx context.Context, opened store.Store, b facts.Bundle) string {
	r, err := opened.Get(ctx, bundle.Name(b.ID))
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	if err := bundle.VerifyStored(r, b.Size, b.SHA256); err != nil {
		return err.Error()
	}
	return ""
}
