// Package servers is what the programs of this lab talk to: all in their own process, and none of it the matter.
package servers

import (
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// HTTP is a server that answers each request at once, with deadlines for everything.
func HTTP() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	body := []byte(strings.Repeat("{\"id\": 1, \"name\": \"something\"}\n", 100))
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(body) }),
		ReadHeaderTimeout: time.Hour,
		ReadTimeout:       time.Hour,
		WriteTimeout:      time.Hour,
		IdleTimeout:       time.Hour,
	}
	go server.Serve(l)
	return "http://" + l.Addr().String()
}

// Silent is the address of a listener that nobody accepts from: connections stand, and no one answers. It has no
// goroutine and no net.Listener, so that no pointer leads to it.
func Silent() string {
	fd, addr := listen(128)
	_ = fd
	return addr
}

// Full is the address of a listener whose queue is full: to connect to it takes for ever.
func Full() string {
	_, addr := listen(0)
	for i := 0; i < 4; i++ {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			panic(err)
		}
		host, _ := net.ResolveTCPAddr("tcp", addr)
		to := &syscall.SockaddrInet4{Port: host.Port, Addr: [4]byte{127, 0, 0, 1}}
		_ = syscall.Connect(fd, to)
	}
	time.Sleep(20 * time.Millisecond)
	return addr
}

func listen(backlog int) (int, string) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		panic(err)
	}
	if err := syscall.Listen(fd, backlog); err != nil {
		panic(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		panic(err)
	}
	addr := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: name.(*syscall.SockaddrInet4).Port}
	return fd, addr.String()
}
