// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import java.time.Duration;

/**
 * A fault that hits commands: what goes wrong, and with which. Immutable; each {@code on}, {@link
 * #after} and {@link #times} returns a changed copy. It takes effect when it is given to {@link
 * NvmeFaults#inject}.
 *
 * <p>It hits every command of every queue unless told otherwise.
 */
public final class NvmeFault {
  private static final int ANY = -1;

  private final Effect effect;
  private final int opcode;
  private final boolean hitsAdmin;
  private final boolean hitsIo;
  private final long skipped;
  private final long times;

  /** The effect on a command. */
  sealed interface Effect {
    /** What it is, in words. */
    default String text() {
      return switch (this) {
        case Status(var status) -> "status 0x%03x".formatted(status);
        case Delay(var nanos) ->
            nanos == Long.MAX_VALUE ? "hold" : "delay by %,d ns".formatted(nanos);
        case Loss _ -> "loss";
        case Repetition _ -> "repetition";
        case Forgery(var commandId) -> "forgery of command " + commandId;
        case StrayWrite(var iova, var byteSize) ->
            "stray write of %,d bytes to 0x%x".formatted(byteSize, iova);
        case Overrun(var byteSize) -> "overrun by %,d bytes".formatted(byteSize);
        case Failure(var failure) -> "failure " + failure;
      };
    }

    /** The command is not carried out but completed with this status. */
    record Status(int status) implements Effect {}

    /** The command waits for so long before it is carried out. */
    record Delay(long nanos) implements Effect {}

    /** The command is carried out, but does not complete. */
    record Loss() implements Effect {}

    /** The command completes twice. */
    record Repetition() implements Effect {}

    /** A command of this identifier completes besides. */
    record Forgery(int commandId) implements Effect {}

    /** Something is written to memory besides. */
    record StrayWrite(long iova, int byteSize) implements Effect {}

    /** Something is written to memory behind the command's data. */
    record Overrun(int byteSize) implements Effect {}

    /** The command is the last that the controller fetches. */
    record Failure(NvmeFailure failure) implements Effect {}
  }

  private NvmeFault(
      Effect effect, int opcode, boolean hitsAdmin, boolean hitsIo, long skipped, long times) {
    this.effect = effect;
    this.opcode = opcode;
    this.hitsAdmin = hitsAdmin;
    this.hitsIo = hitsIo;
    this.skipped = skipped;
    this.times = times;
  }

  private static NvmeFault of(Effect effect) {
    return new NvmeFault(effect, ANY, true, true, 0, Long.MAX_VALUE);
  }

  /**
   * The command is not carried out and completes with this status.
   *
   * @param status status code in bits 7:0, its type in bits 10:8, Do Not Retry in bit 14; reported
   *     as it is
   */
  public static NvmeFault status(int status) {
    if ((status & ~0x7fff) != 0) {
      throw new IllegalArgumentException("a status has 15 bits, not 0x%x".formatted(status));
    }
    return of(new Effect.Status(status));
  }

  /** The command is held until {@link NvmeFaults#release}, and can be aborted meanwhile. */
  public static NvmeFault hold() {
    return of(new Effect.Delay(Long.MAX_VALUE));
  }

  /** The command is held for a while, and can be aborted meanwhile. */
  public static NvmeFault delay(Duration duration) {
    return of(new Effect.Delay(duration.toNanos()));
  }

  /** The command is carried out, but nobody is told. */
  public static NvmeFault loss() {
    return of(new Effect.Loss());
  }

  /** The command completes twice. */
  public static NvmeFault repetition() {
    return of(new Effect.Repetition());
  }

  /**
   * Besides the command, another one completes that was perhaps never given.
   *
   * @param commandId its identifier, 0 to 65535
   */
  public static NvmeFault forgery(int commandId) {
    return of(new Effect.Forgery(commandId & 0xffff));
  }

  /** The controller also writes {@code byteSize} bytes of {@code 0xee} to {@code iova}. */
  public static NvmeFault strayWrite(long iova, int byteSize) {
    return of(new Effect.StrayWrite(iova, byteSize));
  }

  /** The controller also writes {@code byteSize} bytes of {@code 0xee} behind the data. */
  public static NvmeFault overrun(int byteSize) {
    return of(new Effect.Overrun(byteSize));
  }

  /** The command is fetched, and with it the controller fails. */
  public static NvmeFault failure(NvmeFailure failure) {
    return of(new Effect.Failure(failure));
  }

  /** The same fault, for admin commands only. */
  public NvmeFault onAdmin() {
    return new NvmeFault(effect, opcode, true, false, skipped, times);
  }

  /** The same fault, for I/O commands only. */
  public NvmeFault onIo() {
    return new NvmeFault(effect, opcode, false, true, skipped, times);
  }

  /** The same fault, for commands of this opcode only. */
  public NvmeFault onOpcode(int commandOpcode) {
    return new NvmeFault(effect, commandOpcode, hitsAdmin, hitsIo, skipped, times);
  }

  /** The same fault, after so many commands that it would hit were spared. */
  public NvmeFault after(long commands) {
    return new NvmeFault(effect, opcode, hitsAdmin, hitsIo, commands, times);
  }

  /** The same fault, for so many commands only. */
  public NvmeFault times(long commands) {
    return new NvmeFault(effect, opcode, hitsAdmin, hitsIo, skipped, commands);
  }

  boolean matches(NvmeCommand command) {
    return (command.queueId() == 0 ? hitsAdmin : hitsIo)
        && (opcode == ANY || opcode == command.opcode());
  }

  /** Whether it hits the command that is the {@code number}th to match, from 0 on. */
  boolean hits(long number) {
    return number >= skipped && number - skipped < times;
  }

  Effect effect() {
    return effect;
  }

  @Override
  public String toString() {
    var text = new StringBuilder(effect.text());
    text.append(hitsAdmin ? hitsIo ? " of commands" : " of admin commands" : " of I/O commands");
    if (opcode != ANY) {
      text.append(" of opcode 0x%02x".formatted(opcode));
    }
    if (skipped > 0) {
      text.append(", after ").append(skipped);
    }
    return text.append(times == Long.MAX_VALUE ? "" : ", " + times + " times").toString();
  }
}
