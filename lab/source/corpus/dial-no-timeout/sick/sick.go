// What `dial-no-timeout` must find.
package sick

import (
	"crypto/tls"
	"net"
	"net/rpc"
	"net/smtp"
)

func connect(addr string) (net.Conn, error) {
	return net.Dial("tcp", addr) // want dial-no-timeout
}

func secure(addr string) error {
	c, err := tls.Dial("tcp", addr, nil) // want dial-no-timeout
	if err != nil {
		return err
	}
	return c.Close()
}

func dialer(addr string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 1}
	return d.Dial("tcp", addr) // want dial-no-timeout
}

func call(addr string) (*rpc.Client, error) {
	return rpc.Dial("tcp", addr) // want dial-no-timeout
}

func mail(addr string) error {
	c, err := smtp.Dial(addr) // want dial-no-timeout
	if err != nil {
		return err
	}
	return c.Quit()
}

func bare(network, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.Dial(network, addr) // want dial-no-timeout
}
