package helm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// childName is how this program is called where it unpacks or renders a chart for another.
const childName = "upkeep-render"

// said is what a child says: a question, or at its end what it made, or why it made nothing.
type said struct {
	Question *question `json:",omitempty"`
	Made     *made     `json:",omitempty"`
	Error    string    `json:",omitempty"`
}

// question is a template's look into the cluster, and answer what the parent saw there.
type question struct{ APIVersion, Kind, Namespace, Name string }

type answer struct {
	Object json.RawMessage
	Error  string `json:",omitempty"`
}

// Child unpacks or renders one chart and ends the program, where the program was started for that. Call it first in
// main: nothing stops a template but the end of its process.
//
// The work comes from stdin, and what was made goes to stdout. Neither arguments nor environment hold any of it.
func Child() {
	if len(os.Args) != 1 || os.Args[0] != childName {
		return
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// Where the machine's memory is used up, this process is the first to go.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	silence()
	read := json.NewDecoder(os.Stdin)
	var o order
	if err := read.Decode(&o); err != nil {
		os.Exit(1)
	}
	var mu sync.Mutex
	write := json.NewEncoder(os.Stdout)
	say := func(s said) {
		mu.Lock()
		defer mu.Unlock()
		if err := write.Encode(s); err != nil {
			os.Exit(1)
		}
	}
	go o.filled(func(err error) {
		say(said{Error: err.Error()})
		os.Exit(0)
	})
	answers := make(chan answer)
	go func() {
		for {
			var a answer
			if err := read.Decode(&a); err != nil {
				os.Exit(1) // the parent is gone, or waits no longer
			}
			answers <- a
		}
	}()
	var find lookUp
	if o.Lookup {
		find = func(apiVersion, kind, namespace, name string) (object map[string]any, err error) {
			say(said{Question: &question{apiVersion, kind, namespace, name}})
			a := <-answers
			if a.Error != "" {
				return map[string]any{}, errors.New(a.Error)
			}
			err = utiljson.Unmarshal(a.Object, &object) // integers stay integers, as client-go reads them
			return object, err
		}
	}
	out, err := o.work(find)
	if err != nil {
		say(said{Error: err.Error()})
	} else {
		say(said{Made: &out})
	}
	os.Exit(0)
}

// apart does the work in a child, which is gone when apart returns.
func (b bounds) apart(ctx context.Context, o order, find lookUp) (made, error) {
	b = b.withDefaults()
	o.Memory, o.Output = b.memory, b.output
	if os.Args[0] == childName {
		return made{}, errors.New("the program works on a chart for another, and starts no further one")
	}
	program, err := self()
	if err != nil {
		return made{}, err
	}
	within, cancel := context.WithTimeoutCause(ctx, b.time, b.late(o))
	defer cancel()
	words := &limited{most: errorLimit}
	command := exec.CommandContext(within, program)
	command.Args = []string{childName}
	command.Env = inherited()
	command.Dir = os.TempDir()
	command.Stderr = words
	command.WaitDelay = time.Second
	stdin, err := command.StdinPipe()
	if err != nil {
		return made{}, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return made{}, err
	}
	if err := command.Start(); err != nil {
		if within.Err() != nil {
			return made{}, context.Cause(within) // a program is not started any more then
		}
		return made{}, fmt.Errorf("starting the program that reads charts: %w", err)
	}
	// Objects written as JSON are about as long as their YAML, and so are the texts.
	heard := &io.LimitedReader{R: stdout, N: 8*int64(b.output) + 1<<20}
	result, spoke := converse(json.NewEncoder(stdin), json.NewDecoder(heard), o, find)
	why := context.Cause(within)
	if !spoke && heard.N == 0 {
		cancel() // it says more than anybody takes
	}
	_ = stdin.Close()
	ended := command.Wait()
	switch {
	case spoke && result.Made != nil:
		return *result.Made, nil
	case spoke:
		return made{}, errors.New(result.Error)
	case heard.N == 0:
		_, on := o.doing()
		return made{}, fmt.Errorf("the %s of chart %s make more than %d MiB", on, o.Chart, b.output>>20)
	case why != nil:
		return made{}, why
	}
	return made{}, died(o, ended, words.String())
}

// converse tells a child what to render and answers its questions; false: it ended without a result.
func converse(write *json.Encoder, read *json.Decoder, o order, find lookUp) (said, bool) {
	if err := write.Encode(o); err != nil {
		return said{}, false
	}
	for {
		var s said
		if err := read.Decode(&s); err != nil {
			return said{}, false
		}
		if s.Question == nil {
			return s, s.Made != nil || s.Error != ""
		}
		a := answer{Error: "this chart looks nothing up"}
		if find != nil {
			a = answered(*s.Question, find)
		}
		if err := write.Encode(a); err != nil {
			return said{}, false
		}
	}
}

func answered(q question, find lookUp) answer {
	object, err := find(q.APIVersion, q.Kind, q.Namespace, q.Name)
	if err != nil {
		return answer{Error: err.Error()}
	}
	data, err := json.Marshal(object)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Object: data}
}

// died explains a child that ended without a result.
func died(o order, ended error, words string) error {
	first, _, _ := strings.Cut(strings.TrimSpace(words), "\n")
	work, _ := o.doing()
	var exit *exec.ExitError
	if errors.As(ended, &exit) && !exit.Exited() && first == "" {
		return fmt.Errorf("%s chart %s was ended from outside (%v), as the kernel does when memory runs out",
			work, o.Chart, ended)
	}
	if first == "" {
		return fmt.Errorf("%s chart %s ended without a result (%v)", work, o.Chart, ended)
	}
	return fmt.Errorf("%s chart %s ended early: %s", work, o.Chart, first)
}

// self is this program, also where its file was replaced meanwhile.
func self() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// inherited are the variables that a child may see: the zone of times, and where coverage goes.
func inherited() []string {
	out := []string{"GOTRACEBACK=none"}
	for _, name := range []string{"TZ", "GOCOVERDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+value)
		}
	}
	return out
}
