package conformance
import "testing"
func runGo(t *testing.T, k *control, only string) {}
