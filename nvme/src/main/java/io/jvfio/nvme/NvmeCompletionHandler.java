// SPDX-License-Identifier: Apache-2.0
package io.jvfio.nvme;

/** Takes the completions of an {@link NvmeQueue}. */
@FunctionalInterface
public interface NvmeCompletionHandler {
  /**
   * A command has completed. Called by the thread that polls; it may put new commands into the
   * queue.
   *
   * @param token what was given with the command
   * @param status 0 for success; otherwise the status field without the phase tag, which {@link
   *     NvmeQueue#failure} makes an exception of. A command that was ended by this driver, since
   *     the controller was reset, removed or closed, has status type 3 (path), code 0x71 (Command
   *     Aborted By Host)
   * @param result dword 0 of the completion
   */
  void completed(long token, int status, int result);
}
