package story

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/batonmq/baton/test/fleet"
)

// binary is the baton that the stories run, built once.
var binary string

// TestMain builds the binary, or is a worker process of a story.
func TestMain(m *testing.M) {
	if bill := os.Getenv(billVariable); bill != "" {
		fmt.Fprintln(os.Stderr, payingWorker(bill, os.Getenv(nodeVariable)))
		os.Exit(1) // It works until it is killed.
	}
	flag.Parse()
	os.Exit(fleet.Run(m, &binary))
}

// TestStories tells them all to one fleet.
func TestStories(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and kills them")
	}
	f := fleet.Start(t, binary)
	for _, story := range []struct {
		promise string
		tell    func(*testing.T, *fleet.Fleet)
	}{
		{"a subscriber that restarts loses nothing", restartLosesNothing},
		{"one slow worker delays nobody else", slowWorkerDelaysNobody},
		{"a worker that hangs or dies leaves the others alone", workerFailsAlone},
		{"sending again is recognized", sendingAgainIsRecognized},
		{"the final notification arrives, once", finalNotificationArrives},
		{"a poison event is set aside, and can be mended", poisonIsSetAside},
		{"who sends too much is told, and nobody else notices", tooMuchIsRefused},
		{"an event can be followed from the client to its answer", eventIsTraced},
		{"a model is paid once", modelIsPaidOnce},
		{"everybody who should hears everything", everybodyHearsEverything},
		{"stop means stop, and the end is told", stopMeansStop},
	} {
		t.Run(story.promise, func(t *testing.T) { story.tell(t, f) })
	}
	f.AwaitAgreement(t)
}
