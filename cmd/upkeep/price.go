package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v3"
	"sigs.k8s.io/yaml"

	"upkeep/providers/akash/price"
	"upkeep/providers/akash/script"
)

// priceCommand answers questions about bid prices. It changes nothing; migrate alone looks at a cluster, where no file says what
// is charged.
func priceCommand(env environment) *cli.Command {
	return &cli.Command{
		Name: "price", Usage: "what a provider bids, and how its prices move to another script",
		Commands: []*cli.Command{priceExplainCommand(env), priceReplayCommand(env), priceMigrateCommand(env)},
	}
}

// pricesFormat is the version of the JSON of these commands.
const pricesFormat = "1.0"

// priceFlags say with which prices to reckon.
func priceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "targets", Usage: "take price targets, and the script if it is there, from a values `FILE` such as provider.yaml"},
		&cli.StringFlag{Name: "script", Usage: "take the version, and targets in its text, from the bid price script in `FILE`"},
		&cli.StringFlag{Name: "script-version", Usage: "reckon as this `VERSION` of the script does, or scale: as a provider without one; the newest where nothing says"},
		&cli.StringFlag{Name: "akt-price", Usage: "`USD` for one AKT; needed for orders in uakt"},
		&cli.StringFlag{Name: "whitelist", Usage: "refuse tenants that the list in `FILE` does not name, as a script with whitelist_url does; needs -owner"},
		&cli.StringFlag{Name: "owner", Usage: "the `ADDRESS` of the tenant whose orders these are"},
		&cli.StringFlag{Name: "against", Usage: "show beside it what the values or the script in `FILE` would ask"},
		&cli.StringFlag{Name: "against-version", Usage: "the `VERSION` of the script of -against"},
		jsonFlag(),
	}
}

// prices are a setting and what is wrong with it.
type prices struct {
	Name     string          `json:"name"` // the files that it is from
	Setting  price.Setting   `json:"setting"`
	Script   string          `json:"script"`
	Problems []price.Problem `json:"problems"`
}

// settings returns the prices that the flags name, and those to compare with, if any.
func settings(cmd *cli.Command) (is prices, against *prices, err error) {
	if is, err = settingOf(cmd, cmd.String("targets"), cmd.String("script"), cmd.String("script-version"), "-script-version"); err != nil {
		return is, nil, err
	}
	file := cmd.String("against")
	if file == "" {
		if cmd.String("against-version") == "" {
			return is, nil, nil
		}
		// The same prices under another script.
		was, err := settingOf(cmd, cmd.String("targets"), cmd.String("script"), cmd.String("against-version"), "-against-version")
		return is, &was, err
	}
	data, err := os.ReadFile(inDirectory(cmd, file))
	if err != nil {
		return is, nil, fmt.Errorf("-against: %w", err)
	}
	values, body := file, ""
	if strings.HasPrefix(string(data), "#!") {
		values, body = "", file
	}
	was, err := settingOf(cmd, values, body, cmd.String("against-version"), "-against-version")
	return is, &was, err
}

func inDirectory(cmd *cli.Command, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(cmd.Root().String("chdir"), file)
}

// settingOf reads one setting. A version that is named is believed before a script's text.
func settingOf(cmd *cli.Command, valuesFile, scriptFile, version, flag string) (prices, error) {
	p := prices{Setting: price.Setting{Version: price.Newest, AKT: cmd.String("akt-price"), Owner: cmd.String("owner")}, Problems: []price.Problem{}}
	if file := cmd.String("whitelist"); file != "" {
		if p.Setting.Owner == "" {
			return p, usage(cmd, "say whose orders these are: -owner=ADDRESS")
		}
		list, err := os.ReadFile(inDirectory(cmd, file))
		if err != nil {
			return p, fmt.Errorf("-whitelist: %w", err)
		}
		p.Setting.Whitelist = &price.Whitelist{Text: string(list)}
	} else if p.Setting.Owner != "" {
		return p, usage(cmd, "-owner counts where there is a list of tenants: -whitelist=FILE")
	}
	values, body, names, err := readPrices(cmd, valuesFile, scriptFile)
	if err != nil {
		return p, err
	}
	p.Setting.Targets = price.TargetsOf(values)
	named, err := versionFlag(cmd, version, flag)
	if err != nil {
		return p, err
	}
	if named != "" {
		p.Setting.Version = named
	}
	if body != nil && named != price.Scale {
		if err := p.read(body, named); err != nil {
			return p, err
		}
	}
	p.Name = strings.Join(names, ", ")
	if p.Name == "" {
		p.Name = "the script's defaults"
	}
	if p.Script == "" {
		p.Script = string(p.Setting.Version)
	}
	p.lint(values)
	return p, nil
}

// readPrices reads the chart's values and the script from files: the script's own, or the values. An empty name is no file.
func readPrices(cmd *cli.Command, valuesFile, scriptFile string) (values map[string]any, body []byte, names []string, err error) {
	if valuesFile != "" {
		names = append(names, valuesFile)
		data, err := os.ReadFile(inDirectory(cmd, valuesFile))
		if err != nil {
			return nil, nil, nil, err
		}
		if err := yaml.Unmarshal(data, &values); err != nil {
			return nil, nil, nil, fmt.Errorf("%s holds no values as Helm reads them: %w", valuesFile, err)
		}
		if encoded, ok := values[price.ScriptKey].(string); ok && encoded != "" && scriptFile == "" {
			if body, err = script.Decode(encoded); err != nil {
				return nil, nil, nil, fmt.Errorf("%s: %s: %w", valuesFile, price.ScriptKey, err)
			}
		}
	}
	if scriptFile != "" {
		names = append(names, scriptFile)
		if body, err = os.ReadFile(inDirectory(cmd, scriptFile)); err != nil {
			return nil, nil, nil, err
		}
	}
	return values, body, names, nil
}

// versionFlag reads a version of the script; none where the text is empty.
func versionFlag(cmd *cli.Command, text, flag string) (price.Version, error) {
	if text == "" {
		return "", nil
	}
	v, ok := price.ParseVersion(text)
	if !ok {
		return "", usage(cmd, "%s=%s is no version of the script; there are %s", flag, text, versionWords())
	}
	return v, nil
}

// recognise says which version a script is, or prices like; one that is named is believed before the text.
func recognise(body []byte, named price.Version) (script.Recognition, error) {
	r := script.Recognise(body)
	if named != "" {
		r.Version = named
	}
	return r, unknownScript(r)
}

func unknownScript(r script.Recognition) error {
	if r.Version != "" {
		return nil
	}
	return fmt.Errorf("this script, sha256 %.12s, is none that upkeep knows; name the version that it prices like with -script-version", r.SHA256)
}

// read takes the version and the targets of a script.
func (p *prices) read(body []byte, named price.Version) error {
	r, err := recognise(body, named)
	if err != nil {
		return err
	}
	p.Script = r.String()
	p.Setting.Version = r.Version
	p.Setting.Targets = r.InForce(p.Setting.Targets)
	return nil
}

// lint judges values as they were written; what a script holds of its own are plain numbers.
func (p *prices) lint(values map[string]any) {
	if p.Setting.Version == price.Scale {
		p.Problems = append(p.Problems, price.LintSetting(price.Setting{}, []price.FleetGPU{{}})...) // as if there were GPUs
		return
	}
	for _, key := range price.TargetKeys() {
		switch value := values[key]; key {
		case price.MappingsKey:
			p.Problems = append(p.Problems, price.LintMappings(price.Rendered(value), p.Setting.Version, nil)...)
		case price.DebugKey:
		default:
			p.Problems = append(p.Problems, price.LintValue(key, value)...)
		}
	}
	given := p.Setting
	given.Targets = price.TargetsOf(values)
	p.Problems = append(p.Problems, price.LintSetting(given, nil)...)
}

func versionWords() string {
	var words []string
	for _, v := range price.Versions() {
		words = append(words, string(v))
	}
	return strings.Join(append(words, string(price.Scale)), ", ")
}

// answer is what becomes of one order under one setting.
type answer struct {
	Result  price.Result  `json:"result"`
	Verdict price.Verdict `json:"verdict"`
}

func answerTo(o price.Order, p prices) (answer, error) {
	r, err := price.Price(o, p.Setting)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", p.Name, err)
	}
	if r.Lines == nil {
		r.Lines = []price.Line{}
	}
	if r.GPUs == nil {
		r.GPUs = []price.GPULine{}
	}
	return answer{Result: r, Verdict: price.Judge(o, r)}, nil
}

// needsAKT says whether an order's answer hangs on the price of AKT.
func needsAKT(o price.Order) bool { return o.Price == price.PriceAbsent || o.Denom == price.UAKT }

var errNoAKT = errors.New("the order asks in uakt; say what one AKT costs: -akt-price=USD")

// saying is a verdict in words.
func (a answer) saying() string {
	switch a.Verdict.Reason {
	case "":
		return fmt.Sprintf("the provider bids %s %s a block", a.Verdict.Amount, denomWord(a.Verdict.Denom))
	case price.TooHigh:
		return "no bid, too high for the order: " + a.Verdict.Detail
	case price.ScriptFailed:
		return "no bid, the script fails: " + a.Verdict.Detail
	case price.NoNumber:
		return "no bid, the script prints no number: " + a.Verdict.Detail
	}
	return "no bid: " + a.Verdict.Detail
}

// aligned writes lines of cells in columns, without space at the ends of lines.
func aligned(w io.Writer, lines [][]string) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, cells := range lines {
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// denomWord names a denomination for people.
func denomWord(denom string) string {
	switch denom {
	case price.USDC:
		return "uusdc"
	case price.USDCBox:
		return "uausdc"
	}
	return denom
}

// writeProblems says what is wrong with prices.
func writeProblems(w io.Writer, all ...*prices) error {
	for _, p := range all {
		if p == nil {
			continue
		}
		for _, problem := range p.Problems {
			name := problem.Key
			if problem.Item != "" {
				name += ", " + strings.TrimSpace(problem.Item)
			}
			if _, err := fmt.Fprintf(w, "Warning: %s: %s: %s; %s.\n", p.Name, name, problem.Message, problem.Fix); err != nil {
				return err
			}
		}
	}
	return nil
}
