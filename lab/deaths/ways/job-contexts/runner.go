package main

import "context"

type keyType int

const tenantKey keyType = 0

type tenant struct {
	id       int
	settings [40]string
	limits   [20]int
}

type job struct {
	id     int
	ctx    context.Context
	cancel context.CancelFunc
}

// runner runs jobs, all of which end when the service does.
type runner struct {
	ctx     context.Context
	current *job
}

func tenantOf(id int) *tenant {
	t := &tenant{id: id}
	for i := range t.settings {
		t.settings[i] = "default"
	}
	return t
}

func (r *runner) begin(id int) *job {
	ctx := context.WithValue(r.ctx, tenantKey, tenantOf(id))
	j := &job{id: id}
	j.ctx, j.cancel = context.WithCancel(ctx)
	return j
}

// replace begins a job in the place of the one before; a job that is over needs no stopping.
func (r *runner) replace(id int) {
	if before := r.current; before != nil && before.ctx.Err() != nil {
		before.cancel()
	}
	r.current = r.begin(id)
	r.run(r.current)
}

func (r *runner) run(j *job) int {
	t := j.ctx.Value(tenantKey).(*tenant)
	select {
	case <-j.ctx.Done():
		return 0
	default:
		return len(t.settings) + j.id
	}
}
