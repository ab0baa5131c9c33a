package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"upkeep/planner/apply"
)

// endWithin is how long a command that nobody holds may take to clean up after a signal. Whatever it does then is dropped: a
// command ends within a second of SIGINT, SIGTERM and SIGHUP.
const endWithin = 700 * time.Millisecond

// interrupts hands each signal to whoever must finish something. While nobody must, a signal ends the command.
type interrupts struct {
	mu sync.Mutex
	// holder gets the signals; nil: nobody.
	holder chan os.Signal
	// ended: a signal has ended the command, and nobody may begin anything.
	ended bool
	// unheld has an element for each signal that nobody took.
	unheld chan os.Signal
	// unbroken is environment.unbroken.
	unbroken func()
}

// watch hands signals on until done is closed. A terminal closes once, however many SIGHUP the kernel and the shell
// send for that: the second one must not end at once what the first one finishes.
func (i *interrupts) watch(signals <-chan os.Signal, done <-chan struct{}) {
	closed := false
	for {
		select {
		case <-done:
			return
		case s := <-signals:
			if s == syscall.SIGHUP && closed {
				continue
			}
			closed = closed || s == syscall.SIGHUP
			i.mu.Lock()
			to := i.holder
			if to == nil {
				to, i.ended = i.unheld, true
			}
			select {
			case to <- s:
			default: // whoever has not seen the last ones need not count this one
			}
			i.mu.Unlock()
		}
	}
}

// hold takes the signals until release is called. It is an error where one has ended the command already. From now on
// the command outlives whoever reads its output.
func (i *interrupts) hold() (signals <-chan os.Signal, release func(), err error) {
	if i == nil {
		return nil, func() {}, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return nil, nil, errInterrupted
	}
	i.holder = make(chan os.Signal, 4)
	if i.unbroken != nil {
		i.unbroken()
	}
	return i.holder, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.holder = nil
	}, nil
}

// interruptible runs a command until it ends, or until a signal that nobody holds has ended it.
func interruptible(ctx context.Context, env environment, command func(context.Context, environment) error) (err error, interrupted bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	env.interrupts = &interrupts{unheld: make(chan os.Signal, 4), unbroken: env.unbroken}
	done := make(chan struct{})
	defer close(done)
	go env.interrupts.watch(env.signals, done)
	ended := make(chan error, 1)
	go func() { ended <- command(ctx, env) }()
	select {
	case err := <-ended:
		return err, false
	case <-env.interrupts.unheld:
	}
	cancel(errInterrupted)
	select {
	case err = <-ended:
	case <-env.interrupts.unheld:
	case <-time.After(endWithin):
	}
	return err, true
}

// abandon ends the command at once, without waiting for what it still does.
func (i *interrupts) abandon(s os.Signal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.holder, i.ended = nil, true
	select {
	case i.unheld <- s:
	default:
	}
}

// cleanUpOnSignal holds the signals for what is undone before the command ends. The first signal prints what that is
// and ends the context. The second one prints what is left then, and ends the command at once: what is undone may hang.
func cleanUpOnSignal(
	ctx context.Context, env environment, says string, left func() string,
) (context.Context, func(), error) {
	signals, free, err := env.interrupts.hold()
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
			return
		case <-signals:
			fmt.Fprintln(env.stderr, "\n"+says)
			cancel(errInterrupted)
		}
		select {
		case <-done:
		case s := <-signals:
			fmt.Fprintln(env.stderr, "\nStopping at once. "+left())
			env.interrupts.abandon(s)
		}
	}()
	return ctx, func() { close(done); free(); cancel(nil) }, nil
}

// readerUntil reads until its context ends.
type readerUntil struct {
	ctx context.Context
	io.Reader
}

func (r readerUntil) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// halt is how a signal stops what must be finished first. It begins where a lock is taken and ends with it.
type halt struct {
	cancel context.CancelCauseFunc
	mu     sync.Mutex
	stop   chan struct{} // nil before the executor begins
	count  int
	err    error
	// byRequest: the first level came from `upkeep stop`.
	byRequest bool
}

// haltOnSignals holds the signals. Until begin is called, a signal ends the context; what has been taken is given back.
func haltOnSignals(ctx context.Context, env environment) (context.Context, *halt, func(), error) {
	signals, release, err := env.interrupts.hold()
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	h := &halt{cancel: cancel}
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-signals:
				fmt.Fprintln(env.stderr, "\n"+h.next())
			}
		}
	}()
	return ctx, h, func() { close(done); release(); cancel(nil); h.end() }, nil
}

// begin makes each signal from now on stop the run one level further: no new node, no new step, at once. The context that it
// returns ends with the last level. It reports an interrupt that came before.
func (h *halt) begin(ctx context.Context, executor *apply.Executor) (context.Context, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil {
		return nil, h.err
	}
	h.stop = make(chan struct{}, 2)
	executor.Stop = h.stop
	ctx, h.cancel = context.WithCancelCause(ctx)
	return ctx, nil
}

// asked is a first signal that came from another machine: no new node is started. It does nothing where the run stops
// already, and reports whether it did.
func (h *halt) asked() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop == nil || h.count > 0 {
		return false
	}
	h.count, h.byRequest = 1, true
	h.stop <- struct{}{}
	return true
}

// requested reports whether the run stops because somebody asked for it with `upkeep stop`.
func (h *halt) requested() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.byRequest
}

// explain makes an error that an early interrupt has brought about one that says so.
func (h *halt) explain(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil || h.err == nil {
		return err
	}
	return exit{exitInterrupted, h.err}
}

func (h *halt) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cancel(nil)
}

// finishOnSignal holds the signals for what is finished before the command ends. The first signal prints what that is and
// closes the channel; the second one ends the context.
func finishOnSignal(ctx context.Context, env environment, says string) (finishing context.Context, asked <-chan struct{}, release func(), err error) {
	signals, free, err := env.interrupts.hold()
	if err != nil {
		return nil, nil, nil, err
	}
	finishing, cancel := context.WithCancelCause(ctx)
	first, done := make(chan struct{}), make(chan struct{})
	go func() {
		select {
		case <-done:
			return
		case <-signals:
			close(first) // before it is said, so that what is said holds
			fmt.Fprintln(env.stderr, "\n"+says)
		}
		select {
		case <-done:
		case <-signals:
			cancel(errInterrupted)
		}
	}()
	return finishing, first, func() { close(done); free(); cancel(nil) }, nil
}

// next goes one level further and says what is finished first.
func (h *halt) next() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stop == nil {
		h.err = errInterrupted
		h.cancel(errInterrupted)
		return "Interrupt: no step was started. Locks are released."
	}
	h.count++
	switch h.count {
	case 1:
		h.stop <- struct{}{}
		return "Interrupt: no new node is started. Nodes in progress run to their next safe point, and guards end. Interrupt again to finish running steps only."
	case 2:
		h.stop <- struct{}{}
		return "Interrupt: running steps are finished and verified, and guards end. Interrupt again to stop at once."
	default:
		h.cancel(errInterrupted)
		return "Stopping at once. The next apply checks what was done and continues."
	}
}
