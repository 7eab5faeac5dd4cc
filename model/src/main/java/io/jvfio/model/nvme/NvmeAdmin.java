// SPDX-License-Identifier: Apache-2.0
package io.jvfio.model.nvme;

import io.jvfio.model.DmaFaultException;
import java.util.ArrayList;
import java.util.List;

/** The admin commands. Source: NVM Express Base Specification, "Admin Command Set". */
final class NvmeAdmin {
  static final int DELETE_SUBMISSION_QUEUE = 0x00;
  static final int CREATE_SUBMISSION_QUEUE = 0x01;
  static final int GET_LOG_PAGE = 0x02;
  static final int DELETE_COMPLETION_QUEUE = 0x04;
  static final int CREATE_COMPLETION_QUEUE = 0x05;
  static final int IDENTIFY = 0x06;
  static final int ABORT = 0x08;
  static final int SET_FEATURES = 0x09;
  static final int GET_FEATURES = 0x0a;
  static final int ASYNC_EVENT_REQUEST = 0x0c;
  static final int DOORBELL_BUFFER_CONFIG = 0x7c;

  private static final int CONTIGUOUS = 1;
  private static final int INTERRUPTS_ENABLED = 1 << 1;
  private static final int RETAIN_EVENT = 1 << 15;

  /** Dword 0 of Abort: the command was not aborted. */
  private static final int NOT_ABORTED = 1;

  private final NvmeModelOptions.Settings options;
  private final NvmeRegisters registers;
  private final NvmeQueues queues;
  private final NvmeIdentifyPages identifyPages;
  private final NvmeLogPages logPages;
  private final NvmeFeatures features;
  private final NvmeAsyncEvents events;
  private final NvmeHeldCommands held;
  private final NvmeIo io;

  /** Deletions that wait until the commands of their queues are done. */
  private final List<Deletion> deletions = new ArrayList<>();

  private record Deletion(int commandId, int queueId) {}

  NvmeAdmin(
      NvmeModelOptions.Settings options,
      NvmeRegisters registers,
      NvmeQueues queues,
      NvmeIdentifyPages identifyPages,
      NvmeLogPages logPages,
      NvmeFeatures features,
      NvmeAsyncEvents events,
      NvmeHeldCommands held,
      NvmeIo io) {
    this.options = options;
    this.registers = registers;
    this.queues = queues;
    this.identifyPages = identifyPages;
    this.logPages = logPages;
    this.features = features;
    this.events = events;
    this.held = held;
    this.io = io;
  }

  int execute(NvmeCommand command) throws DmaFaultException {
    // Over PCIe admin commands know no SGLs.
    if (command.usesSgl()) {
      return NvmeStatus.INVALID_FIELD;
    }
    return switch (command.opcode()) {
      case CREATE_COMPLETION_QUEUE -> createCompletionQueue(command);
      case CREATE_SUBMISSION_QUEUE -> createSubmissionQueue(command);
      case DELETE_SUBMISSION_QUEUE -> deleteSubmissionQueue(command, queueId(command));
      case DELETE_COMPLETION_QUEUE -> deleteCompletionQueue(queueId(command));
      case IDENTIFY -> identifyPages.identify(command);
      case GET_LOG_PAGE -> getLogPage(command);
      case GET_FEATURES -> features.get(command);
      case SET_FEATURES -> features.set(command, queues.hasIoQueues());
      case ABORT -> abort(command);
      case ASYNC_EVENT_REQUEST ->
          events.hold(command.id())
              ? NvmeStatus.NO_COMPLETION
              : NvmeStatus.ASYNC_EVENT_LIMIT_EXCEEDED;
      case DOORBELL_BUFFER_CONFIG ->
          options.hasShadowDoorbells ? configureDoorbellBuffer(command) : NvmeStatus.INVALID_OPCODE;
      default -> NvmeStatus.INVALID_OPCODE;
    };
  }

  private static int queueId(NvmeCommand command) {
    return command.cdw10() & 0xffff;
  }

  private static int queueEntries(NvmeCommand command) {
    return (command.cdw10() >>> 16) + 1;
  }

  private boolean isIoQueueId(int id) {
    return id >= 1 && id <= queues.pairs();
  }

  private int createCompletionQueue(NvmeCommand command) {
    int id = queueId(command);
    if (!isIoQueueId(id) || queues.hasCompletionQueue(id)) {
      return NvmeStatus.INVALID_QUEUE_ID;
    }
    int status = checkQueueMemory(command);
    if (status != NvmeStatus.SUCCESS) {
      return status;
    }
    int vector = command.cdw11() >>> 16;
    if (vector >= options.vectors()) {
      return NvmeStatus.INVALID_INTERRUPT_VECTOR;
    }
    boolean interrupts = (command.cdw11() & INTERRUPTS_ENABLED) != 0;
    queues.createCompletionQueue(
        id, command.prp1(), queueEntries(command), interrupts ? vector : NvmeQueues.NO_VECTOR);
    return NvmeStatus.SUCCESS;
  }

  private int createSubmissionQueue(NvmeCommand command) {
    int id = queueId(command);
    int completionQueueId = command.cdw11() >>> 16;
    if (!isIoQueueId(completionQueueId) || !queues.hasCompletionQueue(completionQueueId)) {
      return NvmeStatus.INVALID_COMPLETION_QUEUE;
    }
    if (!isIoQueueId(id) || queues.hasSubmissionQueue(id)) {
      return NvmeStatus.INVALID_QUEUE_ID;
    }
    int status = checkQueueMemory(command);
    if (status != NvmeStatus.SUCCESS) {
      return status;
    }
    queues.createSubmissionQueue(id, command.prp1(), queueEntries(command), completionQueueId);
    return NvmeStatus.SUCCESS;
  }

  private int checkQueueMemory(NvmeCommand command) {
    int entries = queueEntries(command);
    if (entries < 2 || entries > registers.queueEntries()) {
      return NvmeStatus.INVALID_QUEUE_SIZE;
    }
    if (command.prp1() == 0 || !isPageAligned(command.prp1())) {
      return NvmeStatus.INVALID_PRP_OFFSET;
    }
    // CAP.CQR: queues in pieces are not supported.
    if ((command.cdw11() & CONTIGUOUS) == 0 || !registers.hasEntrySizes()) {
      return NvmeStatus.INVALID_FIELD;
    }
    return NvmeStatus.SUCCESS;
  }

  private boolean isPageAligned(long iova) {
    return (iova & (registers.pageSize() - 1)) == 0;
  }

  /** Its memory is software's again afterwards, so that commands under way have to end first. */
  private int deleteSubmissionQueue(NvmeCommand command, int id) throws DmaFaultException {
    if (!isIoQueueId(id) || !queues.hasSubmissionQueue(id)) {
      return NvmeStatus.INVALID_QUEUE_ID;
    }
    held.abortAll(id, queues);
    io.abortAll(id);
    if (io.hasCommandsOf(id)) {
      queues.endSubmissionQueue(id);
      deletions.add(new Deletion(command.id(), id));
      return NvmeStatus.PENDING;
    }
    queues.deleteSubmissionQueue(id);
    return NvmeStatus.SUCCESS;
  }

  /** Completes deletions of queues whose commands are done. */
  void finishDeletions() throws DmaFaultException {
    int next = 0;
    while (next < deletions.size()) {
      var deletion = deletions.get(next);
      if (io.hasCommandsOf(deletion.queueId)) {
        next++;
      } else {
        deletions.remove(next);
        queues.deleteSubmissionQueue(deletion.queueId);
        queues.completePending(0, deletion.commandId, 0, NvmeStatus.SUCCESS);
      }
    }
  }

  /** Forgets what waits, as a reset does. */
  void reset() {
    deletions.clear();
  }

  private int deleteCompletionQueue(int id) {
    if (!isIoQueueId(id) || !queues.hasCompletionQueue(id)) {
      return NvmeStatus.INVALID_QUEUE_ID;
    }
    if (queues.isInUse(id)) {
      return NvmeStatus.INVALID_QUEUE_DELETION;
    }
    queues.deleteCompletionQueue(id);
    return NvmeStatus.SUCCESS;
  }

  private int getLogPage(NvmeCommand command) throws DmaFaultException {
    int status = logPages.get(command);
    if (status == NvmeStatus.SUCCESS && (command.cdw10() & RETAIN_EVENT) == 0) {
      events.unmask(command.cdw10() & 0xff);
    }
    return status;
  }

  /** Only what waits can be aborted: what a storage is at goes on. */
  private int abort(NvmeCommand command) {
    int queue = queueId(command);
    int id = command.cdw10() >>> 16;
    boolean isAborted =
        (queue == 0 && events.abort(id)) || held.abort(queue, id) || io.abort(queue, id);
    command.result(isAborted ? 0 : NOT_ABORTED);
    return NvmeStatus.SUCCESS;
  }

  private int configureDoorbellBuffer(NvmeCommand command) {
    long doorbells = command.prp1();
    long events = command.prp2();
    if (doorbells == 0 || events == 0 || !isPageAligned(doorbells | events)) {
      return NvmeStatus.INVALID_FIELD;
    }
    queues.useShadowDoorbells(doorbells, events);
    return NvmeStatus.SUCCESS;
  }
}
