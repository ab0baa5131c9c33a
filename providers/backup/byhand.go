package backup

import (
	"upkeep/providers"
)

func (taking) ByHand(in providers.Input, step providers.Step) []providers.Command { return nil }
func (proving) ByHand(in providers.Input, step providers.Step) []providers.Command { return nil }
func (pruning) ByHand(in providers.Input, step providers.Step) []providers.Command { return nil }
