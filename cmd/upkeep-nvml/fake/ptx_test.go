//go:build linux

package fake_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestProgram runs the program for GPUs as the manual of PTX (docs.nvidia.com/cuda/parallel-thread-execution) defines its
// instructions, one thread after the other, on matrices of a size at which blocks do not come out even. That the driver
// compiles it, only a GPU can say.
func TestProgram(t *testing.T) {
	text, err := os.ReadFile("../product.ptx")
	if err != nil {
		t.Fatal(err)
	}
	const rows, threads = 9, 32
	const words = rows * rows
	m := &machine{memory: make([]byte, (3*words+1)*4)}
	at := func(matrix, i int) uint64 { return uint64(matrix*words+i) * 4 }
	put := func(a uint64, v uint32) { binary.LittleEndian.PutUint32(m.memory[a:], v) }
	get := func(a uint64) uint32 { return binary.LittleEndian.Uint32(m.memory[a:]) }
	for i := range words {
		put(at(0, i), uint32(i)*2654435761)
		put(at(1, i), ^uint32(i)*2246822519)
		put(at(2, i), 0xdeadbeef)
	}
	put(at(3, 0), 0xcafe) // nothing is written behind the result
	m.parameters = map[string]uint64{"matrix_a": at(0, 0), "matrix_b": at(1, 0), "matrix_c": at(2, 0), "rows": rows}
	code := assemble(t, string(text))
	for block := range (words + threads - 1) / threads {
		for thread := range threads {
			m.registers = map[string]uint64{"%ctaid.x": uint64(block), "%ntid.x": threads, "%tid.x": uint64(thread)}
			if err := m.run(code); err != nil {
				t.Fatal(err)
			}
		}
	}
	for row := range rows {
		for column := range rows {
			var want uint32
			for k := range rows {
				want += get(at(0, row*rows+k)) * get(at(1, k*rows+column))
			}
			if got := get(at(2, row*rows+column)); got != want {
				t.Fatalf("row %d, column %d is %d, not %d", row, column, got, want)
			}
		}
	}
	if get(at(3, 0)) != 0xcafe {
		t.Error("the program wrote behind its result")
	}
}

// code is an assembled program.
type code struct {
	instructions [][]string // predicate, name, operands
	labels       map[string]int
}

var declared = regexp.MustCompile(`\.reg \.(pred|b32|b64) (%[a-z]+)<([0-9]+)>;`)

// assemble takes a program apart, and checks that each register is declared.
func assemble(t *testing.T, text string) code {
	t.Helper()
	out := code{labels: map[string]int{}}
	registers := map[string]bool{}
	for _, d := range declared.FindAllStringSubmatch(text, -1) {
		count, _ := strconv.Atoi(d[3])
		for i := range count {
			registers[d[2]+strconv.Itoa(i)] = true
		}
	}
	_, body, _ := strings.Cut(text, "{")
	for line := range strings.Lines(body) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "//")
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line == "}" || strings.HasPrefix(line, ".reg"):
			continue
		case strings.HasSuffix(line, ":"):
			out.labels[strings.TrimSuffix(line, ":")] = len(out.instructions)
			continue
		case !strings.HasSuffix(line, ";"):
			t.Fatalf("no end of an instruction: %s", line)
		}
		fields := strings.FieldsFunc(strings.TrimSuffix(line, ";"), func(r rune) bool { return strings.ContainsRune(" ,\t", r) })
		if !strings.HasPrefix(fields[0], "@") {
			fields = append([]string{""}, fields...)
		}
		for _, f := range fields {
			f = strings.Trim(strings.TrimPrefix(f, "@"), "[]")
			if strings.HasPrefix(f, "%") && !strings.Contains(f, ".") && !registers[f] {
				t.Fatalf("register %s is not declared: %s", f, line)
			}
		}
		out.instructions = append(out.instructions, fields)
	}
	return out
}

// machine is one thread and the memory of a device.
type machine struct {
	memory     []byte
	parameters map[string]uint64
	registers  map[string]uint64
}

func (m *machine) value(operand string) uint64 {
	if strings.HasPrefix(operand, "%") {
		return m.registers[operand]
	}
	n, err := strconv.ParseUint(operand, 10, 64)
	if err != nil {
		panic(err) // neither a register nor a number: the program is wrong
	}
	return n
}

func (m *machine) run(c code) error {
	for pc, steps := 0, 0; pc < len(c.instructions); steps++ {
		if steps > 10_000 {
			return fmt.Errorf("the thread does not end")
		}
		fields := c.instructions[pc]
		pc++
		if predicate := strings.TrimPrefix(fields[0], "@"); predicate != "" && m.registers[predicate] == 0 {
			continue
		}
		name, to := fields[1], ""
		if len(fields) > 2 {
			to = fields[2]
		}
		of := func(i int) uint64 { return m.value(strings.Trim(fields[2+i], "[]")) }
		word := func(i int) uint64 { return uint64(uint32(of(i))) }
		switch name {
		case "ret":
			return nil
		case "bra", "bra.uni":
			label, ok := c.labels[to]
			if !ok {
				return fmt.Errorf("no label %s", to)
			}
			pc = label
		case "ld.param.u64", "ld.param.u32":
			value, ok := m.parameters[strings.Trim(fields[3], "[]")]
			if !ok {
				return fmt.Errorf("no parameter %s", fields[3])
			}
			m.registers[to] = value
		case "cvta.to.global.u64", "mov.u32":
			m.registers[to] = of(1)
		case "mad.lo.u32":
			m.registers[to] = uint64(uint32(word(1)*word(2) + word(3)))
		case "mul.lo.u32":
			m.registers[to] = uint64(uint32(word(1) * word(2)))
		case "mul.wide.u32":
			m.registers[to] = word(1) * word(2)
		case "div.u32":
			m.registers[to] = word(1) / word(2)
		case "rem.u32":
			m.registers[to] = word(1) % word(2)
		case "add.u32":
			m.registers[to] = uint64(uint32(word(1) + word(2)))
		case "add.s64":
			m.registers[to] = of(1) + of(2)
		case "setp.ge.u32":
			m.registers[to] = 0
			if word(1) >= word(2) {
				m.registers[to] = 1
			}
		case "ld.global.u32":
			if a := of(1); a+4 > uint64(len(m.memory)) {
				return fmt.Errorf("it reads at %d", a)
			} else {
				m.registers[to] = uint64(binary.LittleEndian.Uint32(m.memory[a:]))
			}
		case "st.global.u32":
			if a := of(0); a+4 > uint64(len(m.memory)) {
				return fmt.Errorf("it writes at %d", a)
			} else {
				binary.LittleEndian.PutUint32(m.memory[a:], uint32(of(1)))
			}
		default:
			return fmt.Errorf("instruction %s is not known here", name)
		}
	}
	return nil
}
