package scenarios

import (
	"bytes"
	"os"
	"testing"
)

// TestShipped: the program that is shipped has none of the faults, and the other one has them all.
func TestShipped(t *testing.T) {
	t.Parallel()
	for name, get := range map[string]func() (string, error){"honest": honest, "faulty": faulty} {
		b, err := os.ReadFile(program(t, get))
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range []string{"HANSARD_FAULT", "main.(*liar).swap", "main.forgetful", "main.heldNode", "main.noNode", "faulty.go"} {
			if has := bytes.Contains(b, []byte(trace)); has != (name == "faulty") {
				t.Errorf("the %s build holds %q: %t", name, trace, has)
			}
		}
	}
}
