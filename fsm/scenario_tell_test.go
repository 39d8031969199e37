package fsm

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// tell is an entry's outcome in words.
func (s *scenario) tell(out *Outcome) string {
	var b strings.Builder
	for i := range out.Results {
		s.tellResult(&b, &s.lines[i], &out.Results[i])
	}
	for i := range out.Grants {
		s.tellGrant(&b, &out.Grants[i])
	}
	for _, e := range out.Ended {
		fmt.Fprintf(&b, "ended %s fence=%d %s", s.name(e.Lease.Event), e.Lease.Fence, e.Reason)
		if e.Lost {
			fmt.Fprintf(&b, ", lost to %s", e.Holder.Worker)
		}
		b.WriteByte('\n')
	}
	for _, c := range out.Canceling {
		fmt.Fprintf(&b, "canceling %s fence=%d at %s: %s, grace %d\n",
			s.name(c.Lease.Event), c.Lease.Fence, c.Holder.Worker, c.Reason, c.GraceMS)
	}
	for _, n := range out.Notified {
		fmt.Fprintf(&b, "notified %s/%s seq=%d %s of %s\n",
			n.Tenant, n.ClientID, n.Notification.Seq, n.Notification.Name, s.name(n.Notification.Event))
	}
	for _, a := range out.Acked {
		fmt.Fprintf(&b, "acked %s/%s device %s up to %d\n", a.Tenant, a.ClientID, a.DeviceID, a.Seq)
	}
	for i := range out.Leftover {
		fmt.Fprintf(&b, "leftover %s %d\n", out.Leftover[i].Worker, out.Leftover[i].Credit)
	}
	for i := range out.Backlogs {
		tellBacklog(&b, &out.Backlogs[i])
	}
	for _, r := range out.Relays {
		fmt.Fprintf(&b, "%s\n", tellRelay(r))
	}
	for _, reason := range diedOf(out) {
		fmt.Fprintf(&b, "dead letter: %s\n", reason)
	}
	if out.Started != nil {
		s.tellStarted(&b, out.Started)
	}
	if out.Unswept {
		b.WriteString("not through with what is kept no longer\n")
	}
	if out.NextDueMS != maxTime {
		fmt.Fprintf(&b, "next due %d\n", out.NextDueMS)
	}
	return b.String()
}

// collapse shortens runs of four or more lines that differ from the one before
// in numbers which are one higher, and in nothing else.
func collapse(text string) string {
	lines := strings.Split(text, "\n")
	var b strings.Builder
	for i := 0; i < len(lines)-1; {
		end := i + 1
		for end < len(lines)-1 && follows(lines[end-1], lines[end]) {
			end++
		}
		if end-i >= 4 {
			fmt.Fprintf(&b, "%s\n  … %d more, each one up\n", lines[i], end-i-1)
		} else {
			b.WriteString(strings.Join(lines[i:end], "\n") + "\n")
		}
		i = end
	}
	return b.String()
}

func follows(line, next string) bool {
	before, after := strings.Fields(line), strings.Fields(next)
	if len(before) != len(after) || line == next {
		return false
	}
	for i := range before {
		if before[i] == after[i] {
			continue
		}
		digits := "0123456789"
		prefix := strings.TrimRight(before[i], digits)
		a, errA := strconv.Atoi(strings.TrimPrefix(before[i], prefix))
		b, errB := strconv.Atoi(strings.TrimPrefix(after[i], prefix))
		if errA != nil || errB != nil || b != a+1 {
			return false
		}
	}
	return true
}

func (s *scenario) tellResult(b *strings.Builder, l *line, r *command.Result) {
	fmt.Fprintf(b, "%s", l.cmd)
	if r.Reason != command.Done {
		fmt.Fprintf(b, ": %s: %s\n", r.Reason, s.readable(r.Message))
		return
	}
	if l.cmd == "relay" {
		fmt.Fprintf(b, ": through %d\n", r.Offset)
		return
	}
	if l.cmd == "publish" {
		s.call(r.Event, l.as[0])
		fmt.Fprintf(b, ": %s at %d", s.name(r.Event), r.Offset)
	}
	for i, id := range r.Events {
		if i < len(l.as) {
			s.call(id, l.as[i])
		}
		fmt.Fprintf(b, " emitted %s", s.name(id))
	}
	if r.Generation > 0 {
		fmt.Fprintf(b, ": generation %d", r.Generation)
	}
	if r.Duplicate {
		b.WriteString(", duplicate")
	}
	if l.cmd != "publish" && r.Generation == 0 && len(r.Events) == 0 {
		b.WriteString(": done")
	}
	b.WriteByte('\n')
}

// readable puts names in the place of event ids.
func (s *scenario) readable(text string) string {
	for id, name := range s.names {
		text = strings.ReplaceAll(text, id.String(), name)
	}
	return text
}

func (s *scenario) tellGrant(b *strings.Builder, g *Grant) {
	id := g.Job.Lease
	name := s.name(id.Event)
	s.leases[name] = append(s.leases[name], id)
	fmt.Fprintf(b, "grant %s to %s attempt=%d fence=%d %s=%s",
		name, g.Holder.Worker, id.Attempt, id.Fence, g.Job.Event.Channel, g.Job.Event.Payload.Bytes)
	if g.Job.LeaseMS != DefaultLeaseMS {
		fmt.Fprintf(b, " lease=%d", g.Job.LeaseMS)
	}
	if g.Job.LostWithSocket {
		b.WriteString(" lost-with-socket")
	}
	if g.Job.Group != DefaultGroup {
		fmt.Fprintf(b, " group=%s", g.Job.Group)
	}
	if g.Job.Checkpoint != nil {
		fmt.Fprintf(b, " checkpoint=%s", g.Job.Checkpoint)
	}
	b.WriteByte('\n')
}

func tellRelay(r RelayState) string {
	if r.First > r.Last {
		return fmt.Sprintf("relay to %d is empty, %d bytes", r.Target, r.Bytes)
	}
	return fmt.Sprintf("relay to %d: rows %d to %d", r.Target, r.First, r.Last)
}

func tellBacklog(b *strings.Builder, backlog *Backlog) {
	fmt.Fprintf(b, "backlog %s/%s total=%d", backlog.Channel, backlog.Group, backlog.Total)
	if backlog.Partial {
		b.WriteString(" partial")
	}
	for i, tenant := range backlog.Tenants {
		if i == 8 {
			fmt.Fprintf(b, " and %d more", len(backlog.Tenants)-i)
			break
		}
		fmt.Fprintf(b, " %s=%d", tenant.Tenant, tenant.Waiting)
	}
	b.WriteByte('\n')
}

func (s *scenario) tellStarted(b *strings.Builder, started *Started) {
	fmt.Fprintf(b, "started %s generation %d\n", started.Node, started.Generation)
	for _, lease := range started.Leases {
		fmt.Fprintf(b, "lease %s fence=%d at %s term %d\n",
			s.name(lease.ID.Event), lease.ID.Fence, lease.Holder.Worker, lease.LeaseMS)
	}
	for i := range started.Backlogs {
		tellBacklog(b, &started.Backlogs[i])
	}
	for _, r := range started.Relays {
		fmt.Fprintf(b, "%s\n", tellRelay(r))
	}
}

func (s *scenario) trace(a args) string {
	var b strings.Builder
	s.read(func(view *storage.View) {
		lineage, err := ReadLineage(view, a.get("tenant", "t"), s.correlation(a))
		check(s.tb, err)
		for _, e := range lineage.Events {
			fmt.Fprintf(&b, "event %s in %s is %s, caused by %s\n",
				s.readable(e.EventID), e.Channel, e.State, s.readable(e.CausationID))
			for _, group := range slices.Sorted(maps.Keys(e.Groups)) {
				fmt.Fprintf(&b, "  in %s %s\n", group, e.Groups[group])
			}
		}
		for i := range lineage.Marks {
			s.tellMark(&b, &lineage.Marks[i])
		}
		if lineage.Truncated {
			b.WriteString("truncated\n")
		}
	})
	return b.String()
}

func (s *scenario) tellMark(b *strings.Builder, m *Mark) {
	fmt.Fprintf(b, "%d %s %s", m.Time, s.readable(m.EventID), m.Mark)
	for _, word := range []struct{ name, value string }{
		{"worker", m.Worker},
		{"client", m.ClientID},
		{"device", m.DeviceID},
		{"name", m.Name},
		{"code", m.Code},
		{"message", m.Message},
		{"event", s.readable(m.Emitted)},
	} {
		if word.value != "" {
			fmt.Fprintf(b, " %s=%s", word.name, word.value)
		}
	}
	if m.Partition != nil {
		fmt.Fprintf(b, " to partition %d", *m.Partition)
	}
	if m.Group != "" && m.Group != DefaultGroup {
		fmt.Fprintf(b, " group=%s", m.Group)
	}
	if m.Attempt > 0 {
		fmt.Fprintf(b, " attempt=%d", m.Attempt)
	}
	if m.Seq > 0 {
		fmt.Fprintf(b, " seq=%d", m.Seq)
	}
	if m.DurationMS != nil {
		fmt.Fprintf(b, " after=%d", *m.DurationMS)
	}
	b.WriteByte('\n')
}

func (s *scenario) streamOf(a args) string {
	var b strings.Builder
	s.read(func(view *storage.View) {
		info, err := ReadStream(view, nil, a.get("tenant", "t"), a.word(), a.get("device", ""))
		check(s.tb, err)
		fmt.Fprintf(&b, "head %d oldest %d acked %d\n", info.Head, info.Oldest, info.Acked)
		check(s.tb, ReadNotifications(view, info.ID, 1, func(n *command.Notification) bool {
			fmt.Fprintf(&b, "%d %s of %s %s\n", n.Seq, n.Name, s.name(n.Event), n.Payload.Bytes)
			return true
		}))
	})
	return b.String()
}

func (s *scenario) job(a args) string {
	var text string
	s.read(func(view *storage.View) {
		job, found, err := ReadJob(view, s.lease(a.word()))
		check(s.tb, err)
		text = "over\n"
		if found {
			text = fmt.Sprintf("%s in %s/%s of tenant %s: %s correlation %s", s.name(job.Lease.Event),
				job.Event.Channel, job.Group, job.Event.Tenant, job.Event.Payload.Bytes, s.readable(job.CorrelationID))
			if job.LostWithSocket {
				text += " lost-with-socket"
			}
			text += "\n"
		}
	})
	return text
}

// rows counts the rows of each kind, or lists the keys of one in numbers.
func (s *scenario) rows(kind string) string {
	var b strings.Builder
	counts := make(map[string]int)
	s.read(func(view *storage.View) {
		check(s.tb, view.Scan(nil, nil, func(key, _ []byte) (bool, error) {
			counts[string(key[:1])]++
			if string(key[:1]) == kind {
				fmt.Fprintf(&b, "%s\n", keyText(key))
			}
			return true, nil
		}))
	})
	if kind != "" {
		return b.String()
	}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%s %d\n", kind, counts[kind])
	}
	return b.String()
}

func keyText(key []byte) string {
	switch key[0] {
	case kindActive, kindParked, kindRevision, kindVoid:
		k := readJobKey(key)
		return fmt.Sprintf("group %d queue %d position %d", k.group, k.queue, k.position)
	case kindBusy, kindBlocked:
		text := fmt.Sprintf("group %d channel %d tenant %d", u32At(key, 1), u32At(key, 5), u32At(key, 9))
		if key[0] == kindBlocked {
			text += fmt.Sprintf(" position %d", u64At(key, busyKeyBytes))
		}
		return text
	case kindTimer:
		return fmt.Sprintf("due %d position %d", timerDue(key), readJobKey(key).position)
	case kindDedupe:
		return fmt.Sprintf("bucket %d", binary.BigEndian.Uint32(key[1:]))
	default:
		return fmt.Sprintf("%q", key)
	}
}
