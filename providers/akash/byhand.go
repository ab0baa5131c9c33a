package akash

import "upkeep/providers"

func (mending) ByHand(providers.Input, providers.Step) []providers.Command    { return nil }
func (archiving) ByHand(providers.Input, providers.Step) []providers.Command  { return nil }
func (upgrading) ByHand(providers.Input, providers.Step) []providers.Command  { return nil }
func (restarting) ByHand(providers.Input, providers.Step) []providers.Command { return nil }
func (stopping) ByHand(providers.Input, providers.Step) []providers.Command   { return nil }
func (starting) ByHand(providers.Input, providers.Step) []providers.Command   { return nil }
func (replacing) ByHand(providers.Input, providers.Step) []providers.Command  { return nil }
