package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Server answers the one interface this service is for.
type Server struct {
	store        *configStore
	catalogue    *catalogue
	downstream   time.Duration
	garbageBytes int
	truth        *truth
}

// ugcTabReply tells a player page which of its videos get the UGC tab.
type ugcTabReply struct {
	Shown  []int64  `json:"shown"`
	Titles []string `json:"titles"`
	Score  int      `json:"score"`
}

// ugcTab handles GET /x/resource/ugctab?aids=1,2,3.
func (s *Server) ugcTab(w http.ResponseWriter, r *http.Request) {
	s.truth.add(fieldRequests, 1)
	aids := parseAids(r.URL.Query().Get("aids"))
	scratch := make([]byte, s.garbageBytes)

	cfg := s.store.current()
	avidMap := cfg.shared
	if avidMap == nil {
		// The bug: the set is the same for every request, and yet each
		// request makes its own and holds it while it waits below.
		s.truth.mapBegins(len(cfg.ids))
		defer s.truth.mapEnds(len(cfg.ids))
		avidMap = buildAvidMap(cfg.ids)
		s.truth.mapBuilt(len(cfg.ids))
	}

	score, err := s.callDownstream(r.Context(), aids, scratch)
	if err != nil {
		http.Error(w, err.Error(), http.StatusGatewayTimeout)
		return
	}

	reply := ugcTabReply{Score: score}
	for _, aid := range aids {
		if _, ok := avidMap[aid]; ok {
			reply.Shown = append(reply.Shown, aid)
			reply.Titles = append(reply.Titles, s.catalogue.title(aid))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	// A client that went away is not this handler's problem.
	_ = json.NewEncoder(w).Encode(reply)
}

// buildAvidMap turns the list of ids into a set. Without a size hint the map
// grows step by step, and each step leaves the previous one as garbage: the
// 7 to 9 MB of a full map cost 12 to 15 MB of allocation.
//
// lastgasp-culprit-begin (tests find the expected lines by these two markers)
func buildAvidMap(ids []int64) map[int64]struct{} {
	m := make(map[int64]struct{})
	for _, id := range ids {
		m[id] = struct{}{}
	}
	return m
}

// lastgasp-culprit-end

// callDownstream stands for a call to another service. It waits; the caller's
// locals stay live for as long.
func (s *Server) callDownstream(ctx context.Context, aids []int64, scratch []byte) (int, error) {
	for i := range scratch {
		scratch[i] = byte(i)
	}
	t := time.NewTimer(s.downstream)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	score := len(aids)
	if len(scratch) > 0 {
		score += int(scratch[len(scratch)-1])
	}
	return score, nil
}

func parseAids(list string) []int64 {
	var aids []int64
	for _, field := range strings.Split(list, ",") {
		if aid, err := strconv.ParseInt(field, 10, 64); err == nil {
			aids = append(aids, aid)
		}
	}
	return aids
}
