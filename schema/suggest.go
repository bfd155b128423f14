package schema

import "strings"

// nearest returns the word of a fixed vocabulary that was most likely meant,
// or "" when none is near: a few letters are wrong, however long the word.
func nearest(word string, vocabulary []string) string {
	const mistakes = 3
	near := Nearest(word, vocabulary, 1)
	if len(near) == 0 || editDistance(strings.ToLower(word), strings.ToLower(near[0]), mistakes) > mistakes {
		return ""
	}
	return near[0]
}

// fold takes the case and the punctuation off a key, so that FriendlyName,
// friendlyName and friendly-name are all friendly_name.
func fold(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return -1
	}, key)
}
