package auth

import (
	"fmt"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// CheckPatterns says what is wrong with the first bad one of a list. No client's channel
// begins with $: those that do grant to start runs, $run.NAME, and to send them messages,
// $message.NAME.
func CheckPatterns(patterns []string) error {
	if len(patterns) > command.MaxPatterns {
		return fmt.Errorf("there may be %d patterns at most", command.MaxPatterns)
	}
	for _, pattern := range patterns {
		begin := strings.TrimPrefix(strings.TrimSuffix(pattern, "*"), "$")
		if pattern == "*" || wire.ValidName(begin) && len(pattern) <= command.MaxCredentialText {
			continue
		}
		return fmt.Errorf("pattern %.64q is none: give a channel's name, or how names begin and a * behind it", pattern)
	}
	return nil
}
