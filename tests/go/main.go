// Drives the simulated venue with Alpaca's own Go client, unmodified: REST, trade updates by server-sent events, and the
// market-data stream. Prints "ok" and exits 0, or says what was not as it must be. Started by tools/test-go-client.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/alpacahq/alpaca-trade-api-go/v3/alpaca"
	"github.com/alpacahq/alpaca-trade-api-go/v3/marketdata"
	"github.com/alpacahq/alpaca-trade-api-go/v3/marketdata/stream"
	"github.com/shopspring/decimal"
)

func must(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}

func expect(what string, got, wanted any) {
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		fail("%s: %v instead of %v", what, got, wanted)
	}
}

func number(text string) *decimal.Decimal {
	value := decimal.RequireFromString(text)
	return &value
}

// order is a request for ten shares that stays until it is cancelled.
func order(side alpaca.Side, kind alpaca.OrderType) alpaca.PlaceOrderRequest {
	return alpaca.PlaceOrderRequest{
		Symbol: "AAPL", Qty: number("10"), Side: side, Type: kind, TimeInForce: alpaca.GTC,
	}
}

func place(client *alpaca.Client, request alpaca.PlaceOrderRequest) *alpaca.Order {
	placed, err := client.PlaceOrder(request)
	must(err)
	return placed
}

func trade(client *alpaca.Client) {
	account, err := client.GetAccount()
	must(err)
	expect("status", account.Status, "ACTIVE")

	bracket := order(alpaca.Buy, alpaca.Market)
	bracket.OrderClass = alpaca.Bracket
	bracket.TakeProfit = &alpaca.TakeProfit{LimitPrice: number("110")}
	bracket.StopLoss = &alpaca.StopLoss{StopPrice: number("95"), LimitPrice: number("94.5")}
	placed := place(client, bracket)
	expect("legs", len(placed.Legs), 2)
	expect("leg", placed.Legs[1].Status+" "+placed.Legs[1].StopPrice.String(), "held 95")

	limited := order(alpaca.Buy, alpaca.Limit)
	limited.LimitPrice, limited.ClientOrderID = number("80.25"), "go-limit"
	old := place(client, limited)
	replaced, err := client.ReplaceOrder(old.ID, alpaca.ReplaceOrderRequest{LimitPrice: number("81")})
	must(err)
	expect("replaced", *replaced.Replaces+" "+replaced.LimitPrice.String(), old.ID+" 81")
	_, err = client.PlaceOrder(limited)
	var refusal *alpaca.APIError
	if !errors.As(err, &refusal) {
		fail("a used client order id was taken: %v", err)
	}
	expect("refusal", fmt.Sprint(refusal.StatusCode, refusal.Code, refusal.Message),
		fmt.Sprint(422, 40010001, "client_order_id must be unique"))

	trailing := order(alpaca.Buy, alpaca.TrailingStop)
	trailing.TrailPercent = number("2.5")
	trail := place(client, trailing)
	expect("trail", trail.HWM.String()+" "+trail.StopPrice.String(), "100 102.5")
	must(client.CancelOrder(trail.ID))

	listed, err := client.GetOrders(alpaca.GetOrdersRequest{Status: "open", Nested: true, Limit: 50})
	must(err)
	expect("open orders", len(listed), 2)
	positions, err := client.GetPositions()
	must(err)
	expect("positions", len(positions), 0)
	clock, err := client.GetClock()
	must(err)
	expect("open", clock.IsOpen, false)
	days, err := client.GetCalendar(alpaca.GetCalendarRequest{})
	must(err)
	expect("calendar", days[0].Open, "09:30")
	must(client.CancelAllOrders())
}

// replay reads the account's events from the first one on and checks how the bracket began.
func replay(client *alpaca.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var seen []alpaca.TradeUpdate
	err := client.StreamTradeUpdates(ctx, func(update alpaca.TradeUpdate) {
		seen = append(seen, update)
		if update.Event == "replaced" {
			cancel()
		}
	}, alpaca.StreamTradeUpdatesRequest{SinceID: "0"})
	if !errors.Is(err, context.Canceled) {
		fail("the events ended early: %v", err)
	}
	expect("first events", seen[0].Event+" "+seen[1].Event, "pending_new new")
	if seen[0].EventID >= seen[1].EventID || seen[0].At.After(seen[1].At) {
		fail("events do not follow each other: %v", seen)
	}
}

func quote(ctx context.Context, base string, key, secret string, subscribed chan<- struct{}) {
	got := make(chan stream.Quote, 100)
	data := stream.NewStocksClient(marketdata.IEX,
		stream.WithBaseURL(base), stream.WithCredentials(key, secret),
		stream.WithQuotes(func(quote stream.Quote) { got <- quote }, "AAPL"))
	must(data.Connect(ctx))
	close(subscribed)
	select {
	case quote := <-got:
		expect("quote", fmt.Sprint(quote.Symbol, " ", quote.BidPrice, " ", quote.AskPrice), "AAPL 99.99 100.01")
		expect("time", quote.Timestamp.UTC().Format(time.RFC3339Nano), "2024-06-03T20:00:00.000000123Z")
	case <-ctx.Done():
		fail("no quote came")
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	base, key, secret := os.Getenv("APCA_API_BASE_URL"), os.Getenv("APCA_API_KEY_ID"), os.Getenv("APCA_API_SECRET_KEY")
	client := alpaca.NewClient(alpaca.ClientOpts{BaseURL: base, APIKey: key, APISecret: secret})
	trade(client)
	replay(client)
	subscribed := make(chan struct{})
	go func() {
		<-subscribed
		fmt.Println("subscribed")
	}()
	quote(ctx, base+"/v2", key, secret, subscribed)
	fmt.Println("ok")
}
