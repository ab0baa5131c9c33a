package script

import (
	"slices"

	"upkeep/providers/akash/price"
)

// Published is one bid price script as akash-network/helm-charts published it. Its text is not here: it stands behind URL.
type Published struct {
	Version price.Version
	// Revision is the commit, SHA256 the digest of the file in it, byte for byte.
	Revision, SHA256 string
}

// publishedPath is where the repository has the script, in every revision.
const publishedPath = "charts/akash-provider/scripts/price_script_generic.sh"

// URL is where the text stands.
func (p Published) URL() string {
	return "https://raw.githubusercontent.com/akash-network/helm-charts/" + p.Revision + "/" + publishedPath
}

// PublishedScripts returns the newest published revision of every version, the oldest version first. The digests were taken
// with `git show REVISION:PATH | sha256sum`.
func PublishedScripts() []Published {
	return []Published{
		{price.June14, "7f33e53d71e483c253383cc51680672e5bae4603", "d8d400b9cf8c75507fd5cb12b235865cdca36f8eacfbff5790a6512b047566a2"},
		{price.June25, "91dc21f2154975be8cbc8d66bd8b814bb5b91af5", "b933ef0c77f247a52e865e3fe76adb6c5e48a2628566f8c93b0be31e825a4e85"},
		{price.Aug08, "873a5abc26ffc1637d3e3ae31172f0381062353d", "3ba4a6a8e9b33f7bd714178e4c0d83d5eaf4d12ed0ad7b3f5a98c8c0ef7c7605"},
		{price.Aug14, "7888545448e2478e88f8e715e73a71115bcc26cd", "f05829ac9d46557ec9c008d01744391b0d27c8f4ac84b67a3bc8dc3333264f09"},
		{price.Aug16, "2146854a49aeae68c7dd7ff1f7d6b941e7862777", "b942a971248da233f484da915932e5b48ac17c02739d04ae9ef56f97f360bd06"},
		{price.Sept08, "344331fbe5a16e2eccfe5e2156a52039e41abca9", "b2c25bd3603d8f1e153015f6845a26492e663d2bff8c37aa303b09f192bc353e"},
		{price.Sept19, "38bf25fdfa679fa3eac7a458d86cfefb14610d8e", "db37c939181b44d981fddee611d439d952d88bdcbf0e1003cdf942e4f6c4ce20"},
		{price.Nov03, "b94220ec2ef338625f902d03d4a708938edbcc7b", "388f23d277d27c849ba9d0eb7ae905fde91395e9944c208147e93576f90f76a2"},
		{price.Nov16, "31f9c4c628757e3ce3ad2ca7856b2be5e6ac997b", "9a172f586e7a774e3241ad68536185c304bdd88828e1066621f0d1d13a1680d2"},
		{price.Feb27, "6463f35444dfe05a143dae6dd85a3e05fe53f7b9", "770d416e110366afdcd9de99dd7bdd60cb8eefa6ae6366936be99221048f0fca"},
		{price.March27, "c762e1a807d5130ce35dfa25d6ab361e9d1ec8d9", "d17d9a22b2f63066a4c7a118ff529bc9e3644557005d5799adf180604399cf94"},
		{price.April03, "846ca04e6ce6e2b52371d2006b6568136eec2352", "f01b62be14c158fcf6bbc91287bd0926b25599685db7a9cf3c885455addf3fbe"},
		{price.Feb04, "8b63285b1646f9248ecb4517d05e57e63082c18b", "8d9ea2a546da120fb0ddeb9ae48c24a330a0c5afaf3dd3fb3aad8cec85c75a95"},
		{price.Feb04ACT, "9a15a37a9da4d3ec68eb8b21f8af5b0be163ae1f", "48a75c9bc192c3d349c11f7c6b11377df3ceb1de2a0c2da17c313fccd8cf5bd7"},
	}
}

// PublishedAs returns the published script of a version.
func PublishedAs(version price.Version) (Published, bool) {
	return firstPublished(func(p Published) bool { return p.Version == version })
}

// PublishedWith returns the published script whose text has a SHA-256.
func PublishedWith(sha256 string) (Published, bool) {
	return firstPublished(func(p Published) bool { return p.SHA256 == sha256 })
}

func firstPublished(is func(Published) bool) (Published, bool) {
	all := PublishedScripts()
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true
	}
	return Published{}, false
}
