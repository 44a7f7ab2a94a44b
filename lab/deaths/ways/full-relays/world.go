package main

import (
	"net"
	"time"
)

const pairs = 24

// record is the cameras: each sends some 2 MB a second.
func record(to string) {
	for i := 0; i < pairs; i++ {
		c := dial(to)
		go func() {
			picture := make([]byte, 16<<10)
			for range time.Tick(8 * time.Millisecond) {
				if _, err := c.Write(picture); err != nil {
					return
				}
			}
		}()
	}
}

// watch is those who watch: they read until then, and keep their connections.
func watch(to string, until time.Time) {
	for i := 0; i < pairs; i++ {
		c := dial(to)
		go func() {
			buf := make([]byte, 16<<10)
			for time.Now().Before(until) {
				if _, err := c.Read(buf); err != nil {
					return
				}
			}
			time.Sleep(time.Hour)
			c.Close()
		}()
	}
}

func dial(to string) net.Conn {
	c, err := net.Dial("tcp", to)
	if err != nil {
		panic(err)
	}
	return c
}
