package inpod

import (
	"regexp"
	"time"

	"upkeep/providers/facts"
	"upkeep/providers/strictjson"
)

// mostCoins is how many denominations are kept of an account: strangers can send an account any coin they like.
const mostCoins = 64

var (
	coinPattern  = regexp.MustCompile(`^[0-9]{1,40}$`)
	denomPattern = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$`) // cosmos-sdk, types/coin.go
)

// balanceOf reads what `provider-services query bank balances ADDRESS -o json` prints (cosmos-sdk, x/bank,
// QueryAllBalancesResponse): {"balances":[{"denom":"uakt","amount":"5000000"}],"pagination":{...}}.
func balanceOf(e ended) facts.Balance {
	if why := e.failure(); why != "" {
		return facts.Balance{Unknown: "`provider-services query bank balances`: " + why}
	}
	var answer struct {
		Balances *[]struct {
			Denom  string `json:"denom"`
			Amount string `json:"amount"`
		} `json:"balances"`
		Pagination struct {
			NextKey *string `json:"next_key"`
		} `json:"pagination"`
	}
	const misread = "the answer of `provider-services query bank balances` is not understood"
	if err := strictjson.Decode([]byte(e.stdout), &answer); err != nil || answer.Balances == nil {
		return facts.Balance{Unknown: misread}
	}
	if next := answer.Pagination.NextKey; next != nil && *next != "" {
		return facts.Balance{Unknown: "the account has more denominations than one answer of `provider-services query bank balances` holds"}
	}
	out := facts.Balance{Coins: map[string]string{}}
	for _, coin := range *answer.Balances {
		if !denomPattern.MatchString(coin.Denom) || !coinPattern.MatchString(coin.Amount) {
			return facts.Balance{Unknown: misread}
		}
		if len(out.Coins) < mostCoins || coin.Denom[0] == 'u' {
			out.Coins[coin.Denom] = coin.Amount
		}
	}
	return out
}

// statusOf reads what an RPC node answers to GET /status (CometBFT, as the chart's own wait_for_rpc.sh reads it):
// {"result":{"sync_info":{"latest_block_time":"...","catching_up":false}}}.
func statusOf(e ended) facts.ChainStatus {
	if why := e.failure(); why != "" {
		return facts.ChainStatus{Silent: "curl: " + why}
	}
	var answer struct {
		Result struct {
			SyncInfo *struct {
				LatestBlockTime time.Time `json:"latest_block_time"`
				CatchingUp      *bool     `json:"catching_up"`
			} `json:"sync_info"`
		} `json:"result"`
	}
	if err := strictjson.Decode([]byte(e.stdout),
		&answer); err != nil || answer.Result.SyncInfo == nil || answer.Result.SyncInfo.CatchingUp == nil {
		return facts.ChainStatus{Unknown: "the answer of the RPC node is not understood"}
	}
	sync := answer.Result.SyncInfo
	if year := sync.LatestBlockTime.Year(); year < 2000 || year > 9999 {
		return facts.ChainStatus{Unknown: "the RPC node does not say when its newest block was made"}
	}
	return facts.ChainStatus{CatchingUp: *sync.CatchingUp, BlockTime: sync.LatestBlockTime.UTC().Truncate(time.Second)}
}
