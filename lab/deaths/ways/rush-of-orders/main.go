// A sale begins: the orders are ordinary, the payment service is as fast as always, and there are thirty times as many at
// once. Nothing says how many may be at work.
package main

import (
	"bufio"
	"fmt"
	"net"
	"time"

	_ "example.com/ways/internal/profiled"
)

// payments answers each line after 600 ms.
func payments() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			time.AfterFunc(600*time.Millisecond, func() { fmt.Fprintln(c, "paid"); c.Close() })
		}
	}()
	return l.Addr().String()
}

type position struct {
	article int64
	options [24]int64
	text    string
}

type checkout struct{ payments string }

//go:noinline
func parseBasket(n int) []position {
	basket := make([]position, n)
	for i := range basket {
		basket[i].article, basket[i].text = int64(i), "as shown"
	}
	return basket
}

func (c *checkout) pay() error {
	conn, err := net.Dial("tcp", c.payments)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	_, err = bufio.NewReaderSize(conn, 64).ReadString('\n')
	return err
}

func (c *checkout) order(n int) (sum int64) {
	basket := parseBasket(2800)
	if err := c.pay(); err != nil {
		return 0
	}
	for _, p := range basket {
		sum += p.article
	}
	return sum
}

func main() {
	c := &checkout{payments: payments()}
	for began := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		go c.order(1)
		if rush := time.Since(began) - 1300*time.Millisecond; rush < 0 {
			time.Sleep(60 * time.Millisecond)
		} else if rush < 3*time.Second {
			time.Sleep(10*time.Millisecond - rush/300)
		}
	}
}
