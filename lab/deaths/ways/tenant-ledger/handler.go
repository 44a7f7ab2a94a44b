package main

import "strconv"

type line struct {
	article string
	text    [96]byte
	amount  int
}

type invoice struct {
	tenant string
	lines  []*line
}

func parseInvoice(tenant string, n int) *invoice {
	inv := &invoice{tenant: tenant, lines: make([]*line, 0, n)}
	for i := 0; i < n; i++ {
		inv.lines = append(inv.lines, &line{article: "A-" + strconv.Itoa(i), amount: 0})
	}
	inv.lines[0].amount = 100
	return inv
}

type handler struct{ ledger *ledger }

func (h *handler) postInvoice(tenant string) (booked int, err error) {
	inv := parseInvoice(tenant, 1500)
	a := h.ledger.account(inv.tenant)
	for _, l := range inv.lines {
		if err = a.book(entry{l.article, l.amount}); err != nil {
			break
		}
		booked++
	}
	return booked, err
}
