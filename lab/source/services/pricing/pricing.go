package pricing

import (
	"context"
	"errors"
	"time"
)

type Quote struct{ Cents int }

type Upstream interface {
	Quote(sku string) (Quote, error)
}

type Service struct{ up Upstream }

func (s *Service) Quote(ctx context.Context, sku string) (Quote, error) {
	res := make(chan Quote)
	errs := make(chan error)
	go func() {
		q, err := s.up.Quote(sku)
		if err != nil {
			errs <- err // warn send-abandoned
			return
		}
		res <- q // warn send-abandoned
	}()
	select {
	case q := <-res:
		return q, nil
	case err := <-errs:
		return Quote{}, err
	case <-time.After(50 * time.Millisecond):
		return Quote{}, errors.New("quote: timeout")
	}
}
