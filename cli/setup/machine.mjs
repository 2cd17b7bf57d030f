/** What set-up needs of the machine before anything is installed. Pure: values in, a fault or undefined out. */

/** Oldest Node that every dependency runs on (`engines` in package.json says the same). */
export const OLDEST_NODE = [20, 19];

/** @param {string} version such as `20.19.2` @returns {string | undefined} */
export function nodeFault(version) {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const [wantedMajor = 0, wantedMinor = 0] = OLDEST_NODE;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return undefined;
  return `this is Node ${version}; Thalweg needs ${OLDEST_NODE.join('.')} or newer\ninstall it, then run the same command again`;
}

/** @param {string} platform as in `process.platform` @returns {string | undefined} */
export function platformFault(platform) {
  if (platform === 'linux') return undefined;
  return `this is ${platform}; Thalweg steers with Linux routes and WireGuard, and its lab is made of Linux network namespaces\nrun it on Linux, for instance in a virtual machine with Debian`;
}
