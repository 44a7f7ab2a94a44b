// Package leakprocess leaks as a program did before it was mended.
package leakprocess

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"time"
)

type Instance struct {
	cmd  *exec.Cmd
	addr string
}

func Launch(ctx context.Context, path string, port int) (*Instance, error) {
	cmd := exec.Command(path, "-port", fmt.Sprint(port)) // hint context-not-handed-on
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := make(chan string)
	go func() {
		buf := make([]byte, 1024)
		for {
			n, err := out.Read(buf)
			if err != nil {
				close(lines)
				return
			}
			lines <- string(buf[:n]) // warn send-abandoned
		}
	}()
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	for {
		select {
		case <-lines:
			c, err := net.DialTimeout("tcp", addr, time.Second) // hint context-not-handed-on
			if err == nil {
				c.Close()
				return &Instance{cmd: cmd, addr: addr}, nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
