// Command bench measures what docs/performance.md speaks of and prints one table: each figure beside its
// floor of the same run and its target. It ends with an error when a target is missed.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// runs are the tests and benchmarks that measure. Tests print a line for each figure (see figure);
// benchmarks are read from what go test prints.
var runs = []struct {
	what string
	args []string
	env  []string
}{
	{"sending", []string{"./cmd/avisa", "-run", "TestMailsPerSecond"}, []string{"AVISA_BENCH_MAILS=4000"}},
	{"planning", []string{"./internal/reminder", "-run", "TestPlanMillion"}, []string{"AVISA_PLAN_INVOICES=100000"}},
	{"stamping", []string{"./jobs", "-run", "TestStampsPerSecond"}, []string{"AVISA_BENCH_STAMPS=1000"}},
	{"fiscal documents", []string{"./internal/fiscal", "-run", "^$", "-bench", "BareRSA|Seal"}, nil},
	{"PDF", []string{"./internal/pdf", "-run", "^$", "-bench", "Render/one_page"}, nil},
	{"GraphQL", []string{"./graph", "-run", "^$", "-bench", "ClientPage"}, nil},
}

// benchmarks name the figures of Go benchmarks. unit is what is read of each: the time (ns/op), the processor time
// (cpu-ns/op) or the heap (B/op: all that is allocated, so never less than what is in use). floor is another benchmark;
// atLeast is the share of its speed that is the target, most what one may take.
var benchmarks = []struct {
	name, unit, what, floor string
	atLeast, most           float64
}{
	{"BenchmarkSeal", "ns/op", "CFDI: build, check and seal", "BenchmarkBareRSA", 0.5, 0},
	{onePage, "cpu-ns/op", "PDF of one page, processor time", "", 0, 4e6},
	{onePage, "B/op", "PDF of one page, heap", "", 0, 3e6},
	{"BenchmarkClientPage/viewer", "ns/op", "GraphQL: who am I", "", 0, 0},
	{"BenchmarkClientPage/page", "ns/op", "GraphQL: client with contacts and 20 invoices", "", 0, 0},
}

const onePage = "BenchmarkRender/one_page,_10_lines,_QR"

// measures are the metrics of benchmarks, by name and unit.
type measures map[string]float64

// figure is a line "figure|what|floor|measured|target|met" that a test prints; met is true, false or
// empty where there is no target.
type figure struct{ what, floor, measured, target, met string }

var (
	benchmarkLine = regexp.MustCompile(`^(Benchmark\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)
	metric        = regexp.MustCompile(`([\d.]+) (\S+)`)
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := measure(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		stop()
		os.Exit(1) //nolint:gocritic // the signal's handler is stopped
	}
}

func measure(ctx context.Context) error {
	var figures []figure
	took := measures{}
	var failed []string
	for _, run := range runs {
		fmt.Fprintf(os.Stderr, "measuring %s...\n", run.what)
		args := append([]string{"test", "-count=1", "-v", "-timeout", "10m"}, run.args...)
		cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the list above
		cmd.Env, cmd.Stderr = append(os.Environ(), run.env...), os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		text, err := read(out, &figures, took)
		if err != nil {
			return err
		}
		if err := cmd.Wait(); err != nil {
			failed = append(failed, run.what)
			fmt.Fprint(os.Stderr, text)
		}
	}
	for _, b := range benchmarks {
		if measured := took[b.name+" "+b.unit]; measured > 0 {
			figures = append(figures, benchmark(measured, took[b.floor+" "+b.unit], b.what, b.unit, b.atLeast, b.most))
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tfloor\tmeasured\ttarget\t")
	for _, f := range figures {
		word := map[string]string{"true": "met", "false": "MISSED"}[f.met]
		if f.met == "false" {
			failed = append(failed, f.what)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", f.what, f.floor, f.measured, f.target, word)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("missed or failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

// read collects the figures in what go test prints and returns the text.
func read(out io.Reader, figures *[]figure, took measures) (string, error) {
	var text strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		text.WriteString(line + "\n")
		if _, fields, ok := strings.Cut(line, "figure|"); ok {
			if f := strings.Split(fields, "|"); len(f) == 5 {
				*figures = append(*figures, figure{f[0], f[1], f[2], f[3], f[4]})
			}
		}
		if m := benchmarkLine.FindStringSubmatch(line); m != nil {
			for _, part := range metric.FindAllStringSubmatch(m[2], -1) {
				value, err := strconv.ParseFloat(part[1], 64)
				if err != nil {
					return "", err
				}
				took[m[1]+" "+part[2]] = value
			}
		}
	}
	return text.String(), lines.Err()
}

func benchmark(took, floor float64, what, unit string, atLeast, most float64) figure {
	f := figure{what: what, measured: written(took, unit)}
	if floor > 0 {
		f.floor = written(floor, unit)
		f.measured += fmt.Sprintf(" (%.2f of its speed)", floor/took)
	}
	switch {
	case atLeast > 0:
		f.target, f.met = fmt.Sprintf("%.1f of the floor", atLeast), strconv.FormatBool(floor >= atLeast*took)
	case most > 0:
		f.target, f.met = "at most "+written(most, unit), strconv.FormatBool(took <= most)
	}
	return f
}

func written(value float64, unit string) string {
	if unit == "B/op" {
		return fmt.Sprintf("%.2f MB", value/1e6)
	}
	d := time.Duration(value)
	return d.Round(d / 1000).String()
}
