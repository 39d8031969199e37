package fsm

import (
	"fmt"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// followerCommand is a named follower's beginning or commit in a scenario.
func followerCommand(a args) []byte {
	words := append(a.words(), "", "")
	c := command.CommitFollower{Channel: words[0], Name: words[1], Tenant: a.get("tenant", "t"), Position: a.number("position")}
	switch a.get("begin", "") {
	case "at":
		c.Begin = command.FollowBeginAt
	case "new":
		c.Begin = command.FollowBeginNew
	case "odd":
		c.Begin = 3
	}
	if c.Tenant == "all" {
		c.Tenant = ""
	}
	return c.Append(nil)
}

// followers is what a reader sees of a channel.
func (s *scenario) followers(a args) string {
	if a.cmd == "before" {
		return s.before(a)
	}
	invariants.Check(a.cmd == "follow", "unknown directive %s", a.cmd)
	return s.follow(a)
}

// follow lists what a follower gets, a line between pieces.
func (s *scenario) follow(a args) string {
	f := Follow{Channel: a.word(), Tenant: a.get("tenant", "t"), After: a.number("after"), Events: 100, Bytes: 1 << 20}
	if f.Tenant == "all" {
		f.Tenant = ""
	}
	if a.has("events") {
		f.Events = int(a.number("events"))
	}
	if a.has("bytes") {
		f.Bytes = int(a.number("bytes"))
	}
	var b strings.Builder
	s.read(func(view *storage.View) {
		var d Directory
		for {
			piece, err := d.Read(view, &f)
			check(s.tb, err)
			if piece.Trimmed != 0 {
				fmt.Fprintf(&b, "deleted up to %d\n", piece.Trimmed)
			}
			for i := range piece.Events {
				e := &piece.Events[i]
				fmt.Fprintf(&b, "%d %s of %s stored at %d", e.ID.Position, s.name(e.ID), e.Event.Tenant, e.StoredMS)
				if e.DeliverMS != 0 {
					fmt.Fprintf(&b, ", due %d", e.DeliverMS)
				}
				fmt.Fprintf(&b, " %s\n", e.Event.Payload.Bytes)
				f.After = e.ID.Position
			}
			if !piece.More {
				fmt.Fprintf(&b, "up to %d\n", piece.End)
				return
			}
			b.WriteString("-- piece\n")
		}
	})
	return b.String()
}

// before is where a follower from a time begins.
func (s *scenario) before(a args) (told string) {
	tenant := a.get("tenant", "t")
	if tenant == "all" {
		tenant = ""
	}
	s.read(func(view *storage.View) {
		var d Directory
		position, err := d.Before(view, tenant, a.word(), int64(a.number("time")))
		check(s.tb, err)
		told = fmt.Sprintf("behind %d\n", position)
	})
	return told
}
