// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli;

import java.util.concurrent.CountDownLatch;

/** A command, as a process of its own, that fails when it is to be ended in order. */
final class UnendingCommand {
  private UnendingCommand() {}

  public static void main(String[] args) throws InterruptedException {
    var end = new CountDownLatch(1);
    int status = 0;
    try (var _ = new Interruption(end::countDown);
        AutoCloseable _ = UnendingCommand::fail) {
      System.err.println("under way");
      end.await();
    } catch (InterruptedException e) {
      throw e;
    } catch (Exception e) {
      System.err.println("jvfio: " + e.getMessage());
      status = 1;
    }
    Interruption.commandEnded(status);
    System.exit(status);
  }

  private static void fail() {
    throw new IllegalStateException("it cannot be flushed");
  }
}
