// Package rpc is a gRPC service.
package rpc

import (
	"context"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Req and others stand for generated messages.
type Req struct{ IDs []int64 }

// Rsp is an answer.
type Rsp struct{ Names map[int64]string }

// Stream is a server's side of a stream.
type Stream interface {
	Send(*Rsp) error
	Recv() (*Req, error)
	Context() context.Context
}

// ResourceServer is what protoc makes.
type ResourceServer interface {
	Names(context.Context, *Req) (*Rsp, error)
	Watch(*Req, Stream) error
}

// RegisterResourceServer hands the service to the server.
func RegisterResourceServer(s grpc.ServiceRegistrar, srv ResourceServer) {
	s.RegisterService(&grpc.ServiceDesc{ServiceName: "resource"}, srv)
}

// Server implements it.
type Server struct {
	mu    sync.Mutex
	names map[int64]string
	subs  map[int]chan *Rsp
	next  int
	audit []metadata.MD
	seen  sync.Map
}

// Names copies all names for each call.
func (s *Server) Names(ctx context.Context, in *Req) (*Rsp, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.audit = append(s.audit, md) // want append-never-cleared
	all := map[int64]string{}
	for id, n := range s.names {
		all[id] = n // want rebuilt-per-request
	}
	out := &Rsp{Names: map[int64]string{}}
	for _, id := range in.IDs {
		out.Names[id] = all[id]
	}
	return out, nil
}

// Watch sends to subscribers; the channel is given back when the client goes: healthy.
func (s *Server) Watch(_ *Req, st Stream) error {
	ch := make(chan *Rsp, 16)
	s.mu.Lock()
	id := s.next
	s.next++
	s.subs[id] = ch
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.subs, id)
		s.mu.Unlock()
	}()
	for {
		select {
		case r := <-ch:
			if err := st.Send(r); err != nil {
				return err
			}
		case <-st.Context().Done():
			return st.Context().Err()
		}
	}
}

// Broadcast sends with the lock held.
func (s *Server) Broadcast(r *Rsp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range s.subs {
		ch <- r // want lock-held-across-wait
	}
}

// BroadcastDrops does not wait: healthy.
func (s *Server) BroadcastDrops(r *Rsp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range s.subs {
		select {
		case ch <- r:
		default:
		}
	}
}

// Pump reads a stream in a goroutine that sends to nobody after a return.
func (s *Server) Pump(st Stream) error {
	in := make(chan *Req)
	fail := make(chan error, 1)
	go func() {
		for {
			r, err := st.Recv()
			if err == io.EOF {
				close(in)
				return
			}
			if err != nil {
				fail <- err
				return
			}
			in <- r // want send-abandoned
		}
	}()
	for {
		select {
		case r, ok := <-in:
			if !ok {
				return nil
			}
			if err := st.Send(&Rsp{Names: map[int64]string{r.IDs[0]: ""}}); err != nil {
				return err
			}
		case err := <-fail:
			return err
		}
	}
}

// Dial blocks for ever where the other is down.
func Dial(addr string) (*grpc.ClientConn, error) {
	return grpc.Dial(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithBlock()) // want dial-no-timeout
}

// DialBounded does not.
func DialBounded(ctx context.Context, addr string) (*grpc.ClientConn, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return grpc.DialContext(ctx, addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithBlock())
}

// Remember keeps each caller in a sync.Map for ever.
func (s *Server) Remember(ctx context.Context, key string) {
	s.seen.Store(key, time.Now()) // want map-only-grows
}
