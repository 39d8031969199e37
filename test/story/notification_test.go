package story

import (
	"context"
	"fmt"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
	"github.com/batonmq/baton/test/history"
)

const finalQuestions = "notification.questions"

// "The answer takes half a minute. By then the user has locked the phone, changed
// to the train's network or opened the laptop, and our server has pushed the answer
// into a socket that nobody reads any more."
//
// A client asks from two devices, which have both been answered before, and goes
// away before the answers. The node it was connected to is killed. The phone comes back, is cut off again before it
// acknowledged anything, and comes back once more; the laptop comes back at the
// end. Each sees every answer, in order and without a hole, and none under two
// numbers.
func finalNotificationArrives(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	const count = 6
	phone := &fleet.Person{Name: "eve", Device: "phone", Fleet: f}
	laptop := &fleet.Person{Name: "eve", Device: "laptop", Fleet: f}

	asking := []*client.Client{phone.Connect(t, 0), laptop.Connect(t, 0)}
	stop := phone.Worker(t, 2, "first model", finalQuestions)
	ask(t, phone, laptop, asking[0], "before")
	phone.Listen(t, asking[0], 1)
	laptop.Listen(t, asking[1], 1)
	stop()

	var questions []string
	for i := range count {
		question := fmt.Sprintf("question-%d", i+1)
		questions = append(questions, question)
		device, other := phone, laptop
		if i%2 == 1 {
			device, other = laptop, phone
		}
		ask(t, device, other, asking[i%2], question)
	}
	for _, c := range asking {
		_ = c.Close()
	}
	f.Nodes[0].Process.Kill()
	phone.Worker(t, 1, "model", finalQuestions)

	seen := cutOff(t, phone, 1, count)
	if len(seen) != count {
		t.Errorf("the phone saw %v before it was cut off, want all of %v", seen, questions)
	}
	cameBack(t, phone, 2, count)
	f.Start(t, f.Nodes[0])
	f.AwaitReady(t)
	cameBack(t, laptop, 0, count)

	// Whatever came twice would be in the stream by now.
	last, other := phone.Connect(t, 0), laptop.Connect(t, 2)
	ask(t, phone, laptop, last, "last")
	for _, device := range []struct {
		person *fleet.Person
		client *client.Client
	}{{phone, last}, {laptop, other}} {
		if keys := device.person.Listen(t, device.client, 1); keys[0] != "last" {
			t.Errorf("the %s got %s after all that it was owed", device.person.Device, keys[0])
		}
		device.person.Check(t)
	}
}

// ask publishes from one device what both are owed the answer to.
func ask(t *testing.T, from, other *fleet.Person, c *client.Client, question string) {
	t.Helper()
	receipt := from.Publish(t, c, finalQuestions, question)
	other.History.Add(history.Published{Client: other.Name, Key: question, EventID: receipt.EventID, Duplicate: true})
}

// cutOff connects a device that sees all answers, and is gone before it could
// acknowledge one.
func cutOff(t *testing.T, p *fleet.Person, at, count int) (seen []string) {
	t.Helper()
	c := p.Connect(t, at)
	ctx, cancel := context.WithTimeout(t.Context(), fleet.Patience)
	defer cancel()
	err := c.Listen(ctx, client.ListenOptions{ManualAck: true}, func(_ context.Context, n *client.Notification) error {
		r := fleet.Notified(p.Name, n)
		p.History.Add(r)
		if seen = append(seen, r.Key); len(seen) == count {
			cancel()
		}
		return nil
	})
	_ = c.Close()
	if len(seen) < count {
		t.Errorf("%d of %d answers came: %v", len(seen), count, err)
	}
	return seen
}

// cameBack connects a device that takes and acknowledges all answers, and
// returns when the cluster knows that it has.
func cameBack(t *testing.T, p *fleet.Person, at, count int) {
	t.Helper()
	c := p.Connect(t, at)
	p.Listen(t, c, count)
	_ = c.Close()
	fleet.WaitFor(t, "all is acknowledged", func() error {
		again := p.Connect(t, at)
		defer func() { _ = again.Close() }()
		if late := p.Missed(t, again); len(late) > 0 {
			return fmt.Errorf("%v came again", late)
		}
		return nil
	})
}
