package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"upkeep/planner/apply"
)

// said gathers what is printed.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestSignalsEndWhatNobodyHolds: a command that ignores its context ends, too.
func TestSignalsEndWhatNobodyHolds(t *testing.T) {
	for name, test := range map[string]struct {
		command func(context.Context) error
		within  time.Duration
	}{
		"listens": {func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }, 0},
		"is deaf": {func(context.Context) error { time.Sleep(time.Hour); return nil }, endWithin},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, 1)
				signals <- syscall.SIGTERM
				began := time.Now()
				_, interrupted := interruptible(t.Context(), environment{signals: signals}, func(ctx context.Context, _ environment) error { return test.command(ctx) })
				if took := time.Since(began); !interrupted || took != test.within || took > time.Second {
					t.Errorf("interrupted %t after %s", interrupted, took)
				}
				time.Sleep(2 * time.Hour) // the deaf one's goroutine ends
			})
		})
	}
}

// TestSignalsOfARun: before the executor has begun a signal ends the context; then each goes one level further, and each says
// what is finished.
func TestSignalsOfARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals, stderr := make(chan os.Signal), &said{}
		_, interrupted := interruptible(t.Context(), environment{signals: signals, stderr: stderr}, func(ctx context.Context, env environment) error {
			_, early, release, err := haltOnSignals(ctx, env)
			if err != nil {
				return err
			}
			signals <- os.Interrupt
			synctest.Wait()
			if _, err := early.begin(ctx, &apply.Executor{}); !errors.Is(err, errInterrupted) {
				t.Errorf("it began although it was interrupted: %v", err)
			}
			var code exit
			if err := early.explain(errors.New("the API does not answer")); !errors.As(err, &code) || code.code != exitInterrupted {
				t.Errorf("an early interrupt ends with %v", err)
			}
			release()

			_, halt, release, err := haltOnSignals(ctx, env)
			if err != nil {
				return err
			}
			defer release()
			executor := &apply.Executor{}
			running, err := halt.begin(ctx, executor)
			if err != nil {
				return err
			}
			for level, want := range []string{"no new node", "running steps", "Stopping at once"} {
				signals <- os.Interrupt
				synctest.Wait()
				if level < 2 {
					<-executor.Stop
				}
				if !strings.Contains(stderr.String(), want) || (running.Err() != nil) != (level == 2) {
					t.Errorf("level %d: %v, and it says %s", level, running.Err(), stderr)
				}
			}
			return nil
		})
		if interrupted {
			t.Error("a run that holds the signals was ended by one")
		}
	})
}

// TestATerminalClosesOnce: the kernel and the shell both send SIGHUP for one terminal. The second one is none, however
// late it comes, and does not weaken what follows.
func TestATerminalClosesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals, stderr, pipes := make(chan os.Signal), &said{}, 0
		env := environment{signals: signals, stderr: stderr, unbroken: func() { pipes++ }}
		_, interrupted := interruptible(t.Context(), env, func(ctx context.Context, env environment) error {
			_, halt, release, err := haltOnSignals(ctx, env)
			if err != nil {
				return err
			}
			if pipes != 1 {
				t.Error("a broken pipe ends a run")
			}
			executor := &apply.Executor{}
			if _, err := halt.begin(ctx, executor); err != nil {
				return err
			}
			for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGHUP, syscall.SIGHUP} {
				signals <- s
				synctest.Wait()
			}
			if said := stderr.String(); strings.Count(said, "Interrupt: ") != 1 || !strings.Contains(said, "no new node") || len(executor.Stop) != 1 {
				t.Errorf("it says %s, and %d signals wait", said, len(executor.Stop))
			}
			signals <- syscall.SIGTERM
			synctest.Wait()
			if said := stderr.String(); !strings.Contains(said, "running steps are finished") || strings.Contains(said, "Stopping at once") {
				t.Errorf("then it says %s", said)
			}
			release()
			return nil
		})
		if interrupted {
			t.Error("a run that holds the signals was ended by one")
		}
	})
}

// TestNothingBeginsAfterASignal: what would have to be finished is not begun once the command ends.
func TestNothingBeginsAfterASignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		signals <- os.Interrupt
		var began error
		interruptible(t.Context(), environment{signals: signals}, func(ctx context.Context, env environment) error {
			<-ctx.Done()
			_, _, _, began = haltOnSignals(ctx, env)
			return nil
		})
		if !errors.Is(began, errInterrupted) {
			t.Errorf("it began: %v", began)
		}
	})
}

// TestASecondSignalEndsCleaningUp: what is undone may hang; then a second signal ends the command and says what is left.
func TestASecondSignalEndsCleaningUp(t *testing.T) {
	for name, second := range map[string]bool{"once": false, "twice": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals, stderr := make(chan os.Signal, 2), &said{}
				cleaning := 5 * time.Second
				began := time.Now()
				err, interrupted := interruptible(t.Context(), environment{signals: signals, stderr: stderr}, func(ctx context.Context, env environment) error {
					ctx, release, err := cleanUpOnSignal(ctx, env, "Interrupt: it is removed.", func() string { return "The rest is left." })
					if err != nil {
						return err
					}
					defer release()
					signals <- os.Interrupt
					<-ctx.Done()
					if second {
						signals <- os.Interrupt
					}
					time.Sleep(cleaning)
					return exit{exitInterrupted, errInterrupted}
				})
				took := time.Since(began)
				if !strings.Contains(stderr.String(), "it is removed") || strings.Contains(stderr.String(), "The rest is left.") != second {
					t.Errorf("it says %s", stderr)
				}
				if interrupted != second || second && took > time.Second || !second && (took != cleaning || err == nil) {
					t.Errorf("interrupted %t after %s: %v", interrupted, took, err)
				}
				time.Sleep(time.Hour)
			})
		})
	}
}
