package facts

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"upkeep/providers/strictjson"
)

// CordonAnnotation is the annotation of a Node that says that upkeep cordoned the node. It holds a Cordon as JSON.
const CordonAnnotation = "upkeep.dev/cordon"

// longestCordon bounds the annotation, in bytes.
const longestCordon = 4096

// Cordon is upkeep's own cordon of a node. A node can be cordoned without one: then somebody else did it.
type Cordon struct {
	// Unknown says why the mark cannot be read. Such a cordon is upkeep's, and nobody may undo what is not understood.
	Unknown string `json:"unknown,omitempty" plain:"said"`
	// By is the block that asked for the cordon ("gpu_health.fleet"), Run the run that set it.
	By  string `json:"by,omitempty" plain:"told"`
	Run string `json:"run,omitempty" plain:"told"`
	// Who applied (user@host), Why in words, and Since when, by the clock of upkeep.
	Who   string    `json:"who,omitempty" plain:"told"`
	Why   string    `json:"why,omitempty" plain:"said"`
	Since time.Time `json:"since,omitzero"`
}

// Annotation returns the text of the annotation that holds the mark.
func (c Cordon) Annotation() (string, error) {
	if c.Unknown != "" {
		return "", errors.New("a mark that cannot be read cannot be written")
	}
	data, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("mark of a cordon: %w", err)
	}
	if len(data) > longestCordon {
		return "", fmt.Errorf("the mark of a cordon has %d bytes, and %d is the most", len(data), longestCordon)
	}
	return string(data), nil
}

// CordonOf reads the annotations of a Node; nil where upkeep has left no mark.
func CordonOf(annotations map[string]string) *Cordon {
	text, marked := annotations[CordonAnnotation]
	if !marked {
		return nil
	}
	var c Cordon
	switch {
	case len(text) > longestCordon:
		return &Cordon{Unknown: fmt.Sprintf("the mark has %d bytes, and %d is the most", len(text), longestCordon)}
	case strictjson.Decode([]byte(text), &c) != nil:
		return &Cordon{Unknown: "the mark is not JSON"}
	case c.Unknown != "" || c.Since.IsZero():
		return &Cordon{Unknown: "the mark does not say since when"}
	}
	return &c
}

// Same reports whether two marks are of one cordon: set by one run, at one time.
func (c Cordon) Same(other Cordon) bool {
	return c.Unknown == "" && other.Unknown == "" && c.Run == other.Run && c.By == other.By &&
		c.Since.Equal(other.Since)
}
