// Command porcupine is a second opinion on small histories of one account: whether there is an order of what callers
// were told that a single account could have gone through, without any knowledge of the ledger's own order.
//
// It reads windows as JSON from standard input and writes a verdict for each to standard output, in their order:
// "Ok", "Illegal", or "Unknown" when the time was not enough. tests/chaos/second_opinion.py makes the windows.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

// For one window. Most take milliseconds; a search that gets lost is given up.
const timeout = time.Second

type window struct {
	// The balance that the account never goes below.
	Floor      int64       `json:"floor"`
	Operations []operation `json:"operations"`
}

type operation struct {
	// "applied", "refused" (it would have gone below the floor), "read", or "perhaps": applied at some time,
	// before the window, in it, or after it.
	Kind string `json:"kind"`
	// Nanoseconds.
	Call   int64 `json:"call"`
	Return int64 `json:"return"`
	// What a write changes the balance by.
	Delta int64 `json:"delta"`
	// What was told: of a write the balance after it.
	Balance int64 `json:"balance"`
}

// The account's balance; what it is at the beginning of a window is not known until somebody is told one.
type state struct {
	known   bool
	balance int64
}

func account(floor int64) porcupine.Model {
	model := porcupine.NondeterministicModel{
		Init: func() []interface{} { return []interface{}{state{}} },
		Step: func(before, input, _ interface{}) []interface{} {
			return step(before.(state), input.(operation), floor)
		},
	}
	return model.ToModel()
}

func step(before state, op operation, floor int64) []interface{} {
	told := state{true, op.Balance}
	fits := !before.known || before.balance+op.Delta == op.Balance
	switch op.Kind {
	case "applied":
		if fits && op.Balance >= floor {
			return []interface{}{told}
		}
	case "perhaps":
		if fits {
			return []interface{}{before, told}
		}
		return []interface{}{before}
	case "refused":
		if !before.known || before.balance+op.Delta < floor {
			return []interface{}{before}
		}
	case "read":
		if !before.known || before.balance == op.Balance {
			return []interface{}{told}
		}
	}
	return nil
}

func check(each window) porcupine.CheckResult {
	history := make([]porcupine.Operation, len(each.Operations))
	for index, op := range each.Operations {
		history[index] = porcupine.Operation{ClientId: index, Input: op, Call: op.Call, Return: op.Return}
	}
	return porcupine.CheckOperationsTimeout(account(each.Floor), history, timeout)
}

func run() error {
	var windows []window
	if err := json.NewDecoder(os.Stdin).Decode(&windows); err != nil {
		return fmt.Errorf("the windows on standard input: %w", err)
	}
	verdicts := make([]string, len(windows))
	for index, each := range windows {
		verdicts[index] = string(check(each))
	}
	return json.NewEncoder(os.Stdout).Encode(verdicts)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "porcupine:", err)
		os.Exit(1)
	}
}
