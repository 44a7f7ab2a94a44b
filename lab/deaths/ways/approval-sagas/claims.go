package main

import "context"

type attachment struct {
	name    string
	content []byte
}

type claim struct {
	id     int
	amount int
	files  []attachment
}

func readClaim(id int) *claim {
	c := &claim{id: id, amount: id % 1000}
	for _, name := range []string{"invoice.pdf", "photo.jpg", "letter.pdf"} {
		content := make([]byte, 120<<10)
		for i := range content {
			content[i] = byte(i + id)
		}
		c.files = append(c.files, attachment{name, content})
	}
	return c
}

// settle takes a claim through its steps: reserve, have it approved, pay.
func (e *engine) settle(ctx context.Context, id int) (int, error) {
	c := readClaim(id)
	defer e.inbox.drop(id)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := e.await(ctx, c.id); err != nil {
		return 0, err
	}
	paid := c.amount
	for _, f := range c.files {
		paid += len(f.content)
	}
	return paid, nil
}
