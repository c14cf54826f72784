// Reads a file of Prometheus rules as Prometheus itself does, and says of each alert what metrics it asks for and whether it
// fires. Usage: rules RULES [SERIES AFTER], SERIES being a file in the notation of Prometheus' own tests ("load 1m ...") and AFTER
// the time of the last look. Prints a JSON list; what is wrong with the rules is an error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

const step = 30 * time.Second

type alert struct {
	Name    string   `json:"name"`
	Metrics []string `json:"metrics"`
	Firing  []string `json:"firing"`
}

func main() {
	found, err := look(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(found)
}

func look(arguments []string) ([]alert, error) {
	if len(arguments) != 1 && len(arguments) != 3 {
		return nil, errors.New("usage: rules RULES [SERIES AFTER]")
	}
	content, err := os.ReadFile(arguments[0])
	if err != nil {
		return nil, err
	}
	p := parser.NewParser(parser.Options{})
	groups, errs := rulefmt.Parse(content, false, model.UTF8Validation, p, promslog.NewNopLogger())
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var found []alert
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			metrics, err := asked(p, rule.Expr)
			if err != nil {
				return nil, err
			}
			found = append(found, alert{rule.Alert, metrics, []string{}})
		}
	}
	if len(arguments) == 1 {
		return found, nil
	}
	after, err := time.ParseDuration(arguments[2])
	if err != nil {
		return nil, err
	}
	return found, fire(found, p, arguments[0], arguments[1], after)
}

// asked are the names of the metrics of an expression.
func asked(p parser.Parser, expression string) ([]string, error) {
	parsed, err := p.ParseExpr(expression)
	if err != nil {
		return nil, err
	}
	metrics := []string{}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok && !slices.Contains(metrics, selector.Name) {
			metrics = append(metrics, selector.Name)
		}
		return nil
	})
	return metrics, nil
}

// fire evaluates the rules as Prometheus would, every step until after, and notes what fires then.
func fire(found []alert, p parser.Parser, file, series string, after time.Duration) error {
	loaded, err := os.ReadFile(series)
	if err != nil {
		return err
	}
	suite, err := promqltest.NewLazyLoader(string(loaded), promqltest.LazyLoaderOpts{})
	if err != nil {
		return err
	}
	defer suite.Close()
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:  rules.EngineQueryFunc(suite.QueryEngine(), suite.Storage()),
		Appendable: suite.Storage(),
		Context:    context.Background(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
		Logger:     promslog.NewNopLogger(),
		Parser:     p,
	})
	groups, errs := manager.LoadGroups(step, labels.EmptyLabels(), "", nil, false, file)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var wrong error
	for at := time.Unix(0, 0).UTC(); at.Sub(time.Unix(0, 0)) <= after; at = at.Add(step) {
		suite.WithSamplesTill(at, func(err error) {
			wrong = errors.Join(wrong, err)
			for _, group := range groups {
				group.Eval(suite.Context(), at)
			}
		})
	}
	for _, group := range groups {
		for _, rule := range group.Rules() {
			wrong = errors.Join(wrong, rule.LastError())
			alerting := rule.(*rules.AlertingRule)
			for _, active := range alerting.ActiveAlerts() {
				if active.State == rules.StateFiring {
					index := slices.IndexFunc(found, func(one alert) bool { return one.Name == alerting.Name() })
					found[index].Firing = append(found[index].Firing, active.Annotations.Get("summary"))
				}
			}
		}
	}
	return wrong
}
