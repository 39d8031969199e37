package fsm

import (
	"fmt"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// letterCommand is a redrive or a discard of a scenario.
func (s *scenario) letterCommand(a args) []byte {
	tenant, group, once := a.get("tenant", "t"), a.get("group", ""), a.get("once", "")
	id := elsewhere(a, s.event(a.word()))
	if a.cmd == "discard" {
		return (&command.Discard{Tenant: tenant, Event: id, Group: group, Once: once, Note: a.get("note", "")}).Append(nil)
	}
	c := command.Redrive{Tenant: tenant, Event: id, Group: group, Once: once}
	if a.has("data") {
		c.Edited, c.ContentType = true, a.get("type", "")
		c.Payload = command.Payload{Codec: command.CodecJSON, Bytes: []byte(a.get("data", ""))}
	}
	return c.Append(nil)
}

// letters lists dead letters, a line between pages.
func (s *scenario) letters(a args) string {
	query := LetterQuery{
		Tenant: a.get("tenant", "t"), Channel: a.get("channel", ""), Group: a.get("group", ""), Reason: a.get("reason", ""),
		Limit: int(a.number("limit")),
	}
	if a.word() != "" {
		query.Event = elsewhere(a, s.event(a.word()))
	}
	var b strings.Builder
	s.read(func(view *storage.View) {
		for more := true; more; {
			page, err := ReadDeadLetters(view, &query)
			check(s.tb, err)
			for i := range page.Letters {
				s.tellLetter(&b, &page.Letters[i])
			}
			query.After, more = page.Next, page.More
			if more {
				b.WriteString("-- page\n")
			}
		}
	})
	return b.String()
}

func (s *scenario) tellLetter(b *strings.Builder, d *DeadLetter) {
	fmt.Fprintf(b, "%s in %s/%s of %s: %s %s, died at %d", s.readable(d.EventID), d.Channel, d.Group, d.Tenant, d.Reason, d.Code, d.DeadAt)
	for _, word := range []struct {
		text string
		is   bool
	}{{"redrivable", d.Redrivable}, {"edited", d.Edited}, {"with more attempts", d.AttemptsTruncated}} {
		if word.is {
			fmt.Fprintf(b, ", %s", word.text)
		}
	}
	if d.Data != nil {
		fmt.Fprintf(b, ", data %s %s", d.Data, d.ContentType)
	}
	b.WriteByte('\n')
	s.tellAttempts(b, d.Attempts)
}

func (s *scenario) tellAttempts(b *strings.Builder, attempts []EventAttempt) {
	for i := range attempts {
		a := &attempts[i]
		fmt.Fprintf(b, "  %s attempt=%d", a.Outcome, a.Attempt)
		if a.Worker != "" {
			fmt.Fprintf(b, " by %s from %d", a.Worker, a.LeasedAt)
		}
		fmt.Fprintf(b, " at %d", a.EndedAt)
		for _, text := range []string{a.Code, a.Message, a.Note, string(a.Result)} {
			if text != "" {
				fmt.Fprintf(b, " %s", text)
			}
		}
		for _, id := range a.Emitted {
			fmt.Fprintf(b, " emitted %s", s.readable(id))
		}
		b.WriteByte('\n')
	}
}

// eventView is what a look-up of one event shows.
func (s *scenario) eventView(a args) string {
	var b strings.Builder
	s.read(func(view *storage.View) {
		e, err := ReadEvent(view, a.get("tenant", "t"), elsewhere(a, s.event(a.word())))
		check(s.tb, err)
		if e == nil {
			b.WriteString("none\n")
			return
		}
		fmt.Fprintf(&b, "%s in %s of %s at %d is %s: %s%s\n", s.readable(e.EventID), e.Channel, e.Tenant, e.Time, e.State, e.Data, e.DataBase64)
		for i := range e.Groups {
			g := &e.Groups[i]
			fmt.Fprintf(&b, "  in %s %s", g.Group, g.State)
			for _, field := range []struct {
				name  string
				value int64
			}{
				{"attempt", int64(g.Attempt)},
				{"failures", int64(g.Failures)},
				{"losses", int64(g.Losses)},
				{"leased", g.LeasedAt},
				{"parked", g.ParkedAt},
				{"due", g.DueAt},
				{"ended", g.EndedAt},
			} {
				if field.value != 0 {
					fmt.Fprintf(&b, " %s=%d", field.name, field.value)
				}
			}
			if g.Worker != "" {
				fmt.Fprintf(&b, " by %s", g.Worker)
			}
			if g.Reason != "" {
				fmt.Fprintf(&b, ": %s", g.Reason)
			}
			if g.Edited != nil {
				fmt.Fprintf(&b, ", edited to %s", g.Edited.Data)
			}
			b.WriteByte('\n')
		}
		s.tellAttempts(&b, e.Attempts)
	})
	return b.String()
}

// diedOf are the reasons of the dead letters that an entry made.
func diedOf(out *Outcome) (reasons []string) {
	for _, change := range out.Letters {
		if change.What != LetterRedriven && change.What != LetterDiscarded {
			reasons = append(reasons, change.What)
		}
	}
	return reasons
}
